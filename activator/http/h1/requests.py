"""Requests from a byte stream, strictly by RFC 9112: bytes in, heads and body pieces out. Sans-IO.

Called by the server half; knows no socket. llhttp (through httptools) does the grammar; what it
leaves open is decided here. Refused with 400 and a closed connection: a request line that is not
three words, a Transfer-Encoding beside a Content-Length, more than one or a malformed
Content-Length, malformed chunks, bare CR or LF, folded lines, whitespace before a colon, a missing
or doubled Host.

However the stream is cut into pieces, the events are the same. The stream is given to llhttp
message by message, so that each request line is seen before llhttp, which is lenient about it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Protocol

import httptools

from activator.http import refusals
from activator.http.events import UNKNOWN, RequestHead
from activator.http.fields import (
    Trailers,
    may_be_trailer,
    named_by_connection,
    tokens,
    without_fields,
)
from activator.http.h1.fieldtable import FieldTable
from activator.http.refusals import FramingError

_END_OF_HEAD = b"\r\n\r\n"
_SPACE, _SLASH = b" /"
# RFC 9112, section 3: exactly one space between the words. llhttp would take several.
_REQUEST_LINE = re.compile(rb"[!-~]+ [!-~\x80-\xff]+ HTTP/1\.[01]\r\n")
_OTHER_VERSION = re.compile(rb"[!-~]+ [!-~\x80-\xff]+ HTTP/(?!0|1\.[01])[0-9]\.[0-9]\r\n")
_HTTP2_LINE = b"PRI * HTTP/2.0\r\n"
_PART_OF_LINE = re.compile(rb"[!-~]+(?: (?:[!-~\x80-\xff]+(?: [HTP/0-9.]{0,8}\r?)?)?)?")
# What chunks may cost beside their content: for each piece of it a size, line ends and a little.
_CHUNK_OVERHEAD = 32
_SMALL_OCTETS = 8 * 1024


@dataclass(frozen=True, slots=True)
class FramingLimits:
    """Bounds of a request head and of what is between chunks."""

    # Envoy's default is 60 KiB, Go's 1 MiB.
    head_octets: int = 64 * 1024
    # Envoy's default is 100, Apache's 100.
    fields: int = 200


DEFAULT_LIMITS = FramingLimits()


@dataclass(frozen=True, slots=True)
class Hop:
    """What a request says to this connection alone."""

    is_plain: bool = True
    """An HTTP/1.1 request whose connection goes on, and no HEAD: any response may pass as is."""
    http11: bool = True
    keep_alive: bool = True
    h2c: bytes | None = None
    """The settings of an offer to go on in HTTP/2, which may be taken (RFC 7540, section 3.2)."""


PLAIN = Hop()
_TO_HEAD = Hop(is_plain=False)


class Http2Preface(FramingError):
    """What came is no request but the beginning of HTTP/2; all of it is in ``data``."""

    def __init__(self, data: bytes) -> None:
        super().__init__(refusals.UNSUPPORTED_VERSION)
        self.data = data


class RequestSink(Protocol):
    """Who gets the events: a head, and unless the request is whole with it any pieces and an end.

    It is whole where its length is 0, and where ``head.body`` is there.
    """

    def on_request(self, head: RequestHead, hop: Hop) -> None:
        """A head is complete."""

    def on_request_body(self, data: bytes) -> None:
        """A piece of the body, chunks undone."""

    def on_request_end(self, trailers: Trailers) -> None:
        """The request is whole."""


class _NoSink:
    """Hears the events of a head that was made up to bring a parser into position."""

    def on_request(self, head: RequestHead, hop: Hop) -> None:
        pass

    def on_request_body(self, data: bytes) -> None:
        pass

    def on_request_end(self, trailers: Trailers) -> None:
        pass


class RequestReader:
    """One connection's requests, one after the other."""

    __slots__ = (
        "_behind",
        "_delayed",
        "_excess",
        "_h2c",
        "_is_closing",
        "_is_premature",
        "_is_ready",
        "_left",
        "_limits",
        "_octets",
        "_parser",
        "_seen",
        "_sink",
        "_start",
        "_table",
        "_tail",
        "_target",
        "_trailers",
        "_whole",
        "_whole_at",
        "connection",
        "head",
        "held",
        "hosts",
        "http2_settings",
        "in_head",
        "in_message",
        "offered",
        "transfer_encoding",
    )

    def __init__(
        self, sink: RequestSink, table: FieldTable, limits: FramingLimits = DEFAULT_LIMITS
    ) -> None:
        self._sink = sink
        self._table = table
        self._seen = table.seen
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        # The head that is being read, and what it says of this hop.
        self.head = RequestHead()
        self.hosts = 0
        self.connection = self.offered = self.transfer_encoding = b""
        # The HTTP2-Settings fields there were, and an offer of h2c that may be taken.
        self.http2_settings: list[bytes] = []
        self._h2c: bytes | None = None
        self._target = b""
        self._trailers: list[tuple[bytes, bytes]] = []
        # A request line that has not come to its end.
        self._start = b""
        # The last bytes of a piece in which a head's end may have begun.
        self._tail = b""
        # A piece with a whole head, and where that begins, until its request line is looked at.
        self._whole: bytes | None = None
        self._whole_at = 0
        self._octets = 0
        # Octets behind a whole head, in the same piece; and what is said of a hop until the body
        # that lies there has been read as well.
        self._behind = 0
        self._delayed: Hop | None = None
        self._left = 0
        self._excess = 0
        self._is_premature = False
        # The last request asked to close: whatever follows it is not looked at.
        self._is_closing = False
        # A request may begin with the next byte, and nothing is kept.
        self._is_ready = True
        self.in_head = False
        self.in_message = False
        # Bytes after a head that asks for an upgrade; None while there is no such question.
        self.held: bytes | None = None

    def feed(self, data: bytes) -> None:
        """Take in what has been received. Raises FramingError once the stream is broken."""
        end = data.find(_END_OF_HEAD) + 4
        if not self._is_ready or not 4 < end <= self._limits.head_octets:
            self._feed(data)
            return
        self._whole = data
        self._whole_at = 0
        # A whole head, which is by far the most usual; nearly as often nothing is behind it.
        size = len(data)
        if end == size:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade:
                self._after_upgrade()
            except httptools.HttpParserError as error:
                self._refuse(error)
            return
        at = self._feed_whole(data, end)
        if at < size:
            self._feed(data[at:])

    def _feed_whole(self, data: bytes, end: int) -> int:
        """Take in requests that are whole, one behind the other; return where another thing begins.

        ``end`` is where the first one's head ends.
        """
        at, size, limit = 0, len(data), self._limits.head_octets
        # Small pieces are copied faster than viewed.
        view = data if size < _SMALL_OCTETS else memoryview(data)
        while True:
            self._behind = size - end
            self._parse(view[at:end])
            self._behind = 0
            at, stop = end, end + self._left
            if self.in_message and at < stop <= size:
                self._left = 0
                self._parse(view[at:stop])
                at = stop
            if not self._is_ready or at >= size or data[at] <= _SPACE:
                return at
            end = data.find(_END_OF_HEAD, at) + 4
            if not at < end <= at + limit:
                return at
            self._whole, self._whole_at = data, at

    @property
    def left(self) -> int:
        """Octets of the body that are still to come, as far as a length tells."""
        return self._left

    def resume(self) -> None:
        """The application did not agree to the upgrade: go on reading requests."""
        held, self.held = self.held, None
        self._is_ready = True
        self._parser = httptools.HttpRequestParser(self)
        if held:
            self.feed(held)

    def take_held(self) -> bytes:
        """The application agreed: the bytes that already belong to the new protocol."""
        held, self.held = self.held, None
        return held or b""

    # -- cutting ------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        if self._start:
            data, self._start = self._start + data, b""
            self._is_ready = True
        view = memoryview(data)
        at, size = 0, len(data)
        while at < size:
            if self.held is not None:
                self.held += data[at:]
                return
            if not self.in_message:
                if self._is_closing:
                    return
                at = self._skip_to_line(data, at)
                if at == size:
                    return
            stop = self._find_stop(data, at)
            is_chunked = self.in_message and not self.in_head and self.head.length == UNKNOWN
            parse = self._parse_chunks if is_chunked else self._parse
            parse(view[at:stop] if at or stop < size else data)
            at = stop

    def _skip_to_line(self, data: bytes, at: int) -> int:
        """Where a request line begins that is whole; the end of the data when there is none yet."""
        if data[at : at + 1] == b"\r" or _REQUEST_LINE.match(data, at) is None:
            # RFC 9112, section 2.2: empty lines before a request line are passed over.
            at = _behind_empty_lines(data, at)
            if _REQUEST_LINE.match(data, at) is None:
                self._wait_for_line(data[at:])
                return len(data)
        self._octets = 0
        self._tail = b""
        return at

    def _wait_for_line(self, line: bytes) -> None:
        if _OTHER_VERSION.match(line) is not None:
            raise _refused_line(line)
        if len(line) > self._limits.head_octets:
            raise FramingError(refusals.HEAD_TOO_LARGE)
        if line and line != b"\r":
            if _PART_OF_LINE.fullmatch(line) is None:
                raise FramingError(refusals.BAD_REQUEST)
            self.in_head = True
        self._start = line
        self._is_ready = False

    def _find_stop(self, data: bytes, at: int) -> int:
        """Up to where one call of llhttp may go: a head's end, a body's end or the data's."""
        if self.in_message and not self.in_head and self.head.length != UNKNOWN:
            stop = min(len(data), at + self._left)
            self._left -= stop - at
            return stop
        stop = self._find_head_end(data, at)
        if self.in_head or not self.in_message:
            self._octets += stop - at
            if self._octets > self._limits.head_octets:
                raise FramingError(refusals.HEAD_TOO_LARGE)
        return stop

    def _find_head_end(self, data: bytes, at: int) -> int:
        """Behind the next empty line, which ends a head and the last chunk alike."""
        if self._tail:
            joined = self._tail + data[at : at + 3]
            end = joined.find(_END_OF_HEAD)
            if end >= 0:
                stop = at + end + 4 - len(self._tail)
                self._tail = b""
                return stop
        end = data.find(_END_OF_HEAD, at)
        if end >= 0:
            self._tail = b""
            return end + 4
        self._tail = (self._tail + data[at:])[-3:] if len(data) - at < 3 else data[-3:]
        return len(data)

    # -- parsing ------------------------------------------------------------------------------

    def _parse(self, piece: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._after_upgrade()
        except httptools.HttpParserError as error:
            self._refuse(error)

    def _parse_chunks(self, piece: bytes | memoryview) -> None:
        """The same within a chunked body: what is between its pieces has a bound."""
        self._parse(piece)
        self._excess = max(0, self._excess + len(piece))
        if self._excess > self._limits.head_octets:
            raise FramingError(refusals.BAD_REQUEST)

    def _refuse(self, error: httptools.HttpParserError) -> None:
        if self._whole is not None and self.in_head:
            raise _refused_line(self._whole[self._whole_at :]) from error
        cause = error.__context__
        if isinstance(error, httptools.HttpParserCallbackError):
            raise (cause if isinstance(cause, FramingError) else error) from None
        raise FramingError(refusals.BAD_REQUEST) from error

    def _after_upgrade(self) -> None:
        if self.head.method == b"CONNECT":
            raise FramingError(refusals.CONNECT_REFUSED)
        h2c, self._h2c = self._h2c, None
        if self.head.upgrade or h2c is not None:
            self.held = b""
            self._is_ready = False
            return
        self._parser = httptools.HttpRequestParser(self)
        if self._is_premature:
            self._is_premature = False
            self._prime()

    def _prime(self) -> None:
        """Bring a fresh parser to where this request's body begins, its offer left out."""
        head, sink, left, is_closing = self.head, self._sink, self._left, self._is_closing
        framing = (
            b"Transfer-Encoding: chunked"
            if head.length == UNKNOWN
            else b"Content-Length: %d" % head.length
        )
        if is_closing:
            framing += b"\r\nConnection: close"
        self._sink = _NoSink()
        self._behind = 0
        self._parser.feed_data(b"POST / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % framing)
        self.head, self._sink, self._left = head, sink, left
        self._is_closing = is_closing

    # -- llhttp's callbacks -------------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        """A part of the target. With its first one a request begins."""
        if self.in_message:
            self._target += url
            return
        self.head = RequestHead()
        self.hosts = 0
        self._target = url
        self.offered = b""
        self.in_head = self.in_message = True
        self._is_ready = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or a trailer."""
        if not self.in_head:
            self._on_trailer(name, value)
            return
        known = self._seen.get(name) or self._table.learn(name)
        if isinstance(known, bytes):
            self.head.fields.append((known, value))
        else:
            known(self, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        head, parser = self.head, self._parser
        self.in_head = False
        head.method = method = parser.get_method()
        head.target = target = self._target
        whole = self._whole
        if whole is not None:
            self._whole = None
            # One space before the target, and one before the version: llhttp would take several.
            if not whole.startswith(target + b" H", self._whole_at + len(method) + 1):
                self._look_at_line(whole)
        if len(head.fields) > self._limits.fields:
            raise FramingError(refusals.HEAD_TOO_LARGE)
        hop = PLAIN
        # Without a Connection field llhttp keeps alive HTTP/1.1 and nothing else.
        if (
            self.connection
            or self.transfer_encoding
            or self.hosts != 1
            or not parser.should_keep_alive()
        ):
            hop = self._settle(head, parser.get_http_version())
        elif method == b"HEAD":
            hop = _TO_HEAD
        if target[0] != _SLASH or b"#" in target:
            _settle_target(head)
        length = head.length
        if length:
            self._left = length
            self._excess = 0
            if 0 < length <= self._behind and not self._is_premature:
                self._delayed = hop
                return
        self._sink.on_request(head, hop)

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self._delayed is not None:
            self.head.body = data
            return
        self._excess -= len(data) + _CHUNK_OVERHEAD
        self._sink.on_request_body(data)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._is_premature:
            return
        self.in_message = False
        self._is_ready = not self._is_closing
        hop, self._delayed = self._delayed, None
        if hop is not None:
            self._sink.on_request(self.head, hop)
        elif self.head.length:
            trailers = self._trailers
            if trailers:
                self._trailers = []
            self._sink.on_request_end(trailers)

    # -- what a plain request does not need ---------------------------------------------------

    def _on_trailer(self, name: bytes, value: bytes) -> None:
        if may_be_trailer(name, self._table.names):
            self._trailers.append((name, value))
        if len(self._trailers) > self._limits.fields:
            raise FramingError(refusals.HEAD_TOO_LARGE)

    def _look_at_line(self, data: bytes) -> None:
        # RFC 9112, section 2.2: empty lines before a request line are passed over.
        if _REQUEST_LINE.match(data, _behind_empty_lines(data, self._whole_at)) is None:
            raise FramingError(refusals.BAD_REQUEST)

    def _settle(self, head: RequestHead, version: str) -> Hop:
        if version not in ("1.0", "1.1"):
            is_old = version == "0.9"
            raise FramingError(refusals.BAD_REQUEST if is_old else refusals.UNSUPPORTED_VERSION)
        is_11 = version == "1.1"
        self._check_hosts(is_11=is_11)
        keep_alive = self._parser.should_keep_alive()
        if self.transfer_encoding:
            head.length = _coded_length(self.transfer_encoding, is_11=is_11)
        if self.connection:
            self._settle_connection(head, is_11=is_11)
            # A tunnel ends the connection, so "close" beside an upgrade changes nothing.
            keep_alive = keep_alive or head.upgrade != b""
        self._is_closing = not keep_alive
        self.connection = self.transfer_encoding = b""
        if not keep_alive:
            self._h2c = None
        is_plain = is_11 and keep_alive and head.method != b"HEAD" and self._h2c is None
        return Hop(is_plain, is_11, keep_alive, self._h2c)

    def _check_hosts(self, *, is_11: bool) -> None:
        # RFC 9112, section 3.2: exactly one Host; HTTP/1.0 may go without.
        if self.hosts > 1 or (is_11 and self.hosts == 0):
            raise FramingError(refusals.BAD_REQUEST)

    def _settle_connection(self, head: RequestHead, *, is_11: bool) -> None:
        named = named_by_connection(self.connection)
        if named - {b"upgrade", b"te", b"http2-settings"}:
            head.fields = without_fields(head.fields, named)
        offered = tokens(self.offered)
        # A request with a body cannot become something else before its body has ended, so its offer
        # is ignored, and HTTP/1.0 knows none. One of h2c is for this hop, and never passed on.
        is_offer = is_11 and b"upgrade" in named and offered and head.length == 0
        if is_offer and b"h2c" not in offered:
            head.upgrade = self.offered
        elif is_offer and b"http2-settings" in named:
            self._h2c = _decoded_settings(self.http2_settings)
        self.http2_settings.clear()
        # llhttp takes a body behind an offer to upgrade for the new protocol's bytes.
        self._is_premature = bool(head.length) and self._parser.should_upgrade()


def _refused_line(data: bytes) -> FramingError:
    """Why a request line is none."""
    if data.startswith(_HTTP2_LINE):
        return Http2Preface(data)
    is_other = _OTHER_VERSION.match(data) is not None
    return FramingError(refusals.UNSUPPORTED_VERSION if is_other else refusals.BAD_REQUEST)


def _decoded_settings(fields: list[bytes]) -> bytes | None:
    """The payload of a SETTINGS frame, where exactly one field tells it (RFC 7540, 3.2.1)."""
    if len(fields) != 1:
        return None
    text = fields[0].strip(b" \t")
    try:
        settings = base64.b64decode(text + b"=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error:
        return None
    return settings if len(settings) % 6 == 0 else None


def _behind_empty_lines(data: bytes, at: int) -> int:
    while data.startswith(b"\r\n", at):
        at += 2
    return at


def _coded_length(transfer_encoding: bytes, *, is_11: bool) -> int:
    """Settle the length; llhttp has made sure that none is said beside the coding."""
    codings = tokens(transfer_encoding)
    # RFC 9112, section 6.1: with a Transfer-Encoding in HTTP/1.0 the framing is faulty.
    if not is_11 or codings[-1:] != [b"chunked"]:
        raise FramingError(refusals.BAD_REQUEST)
    if len(codings) > 1:
        # Other codings would have to be undone for the framing to stay true.
        raise FramingError(refusals.UNSUPPORTED_CODING)
    return UNKNOWN


def _settle_target(head: RequestHead) -> None:
    target = head.target
    if b"#" in target:
        raise FramingError(refusals.BAD_REQUEST)
    if head.method == b"CONNECT":
        raise FramingError(refusals.CONNECT_REFUSED)
    if target == b"*" and head.method == b"OPTIONS":
        return
    scheme, separator, rest = target.partition(b"://")
    authority = rest.split(b"/", 1)[0].split(b"?", 1)[0]
    if not separator or scheme.lower() != b"http" or not authority or b"@" in authority:
        raise FramingError(refusals.BAD_REQUEST)
    path = rest[len(authority) :]
    head.is_absolute = True
    head.target = path if path[:1] == b"/" else b"/" + path
    # RFC 9112, section 3.2.2: the target's authority replaces the Host field.
    head.authority = authority

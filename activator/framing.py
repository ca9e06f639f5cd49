"""Requests from a byte stream, strictly by RFC 9112: bytes in, heads and body pieces out.

Called by the downstream protocol; knows no socket. llhttp (through httptools) does the grammar;
what it leaves open is decided here. Rejected with 400 and a closed connection: a Transfer-Encoding
beside a Content-Length, more than one or a malformed Content-Length, malformed chunks, bare CR or
LF, folded lines, whitespace before a colon, a missing or doubled Host.

However the stream is cut into pieces, the events are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import httptools

from activator import failures
from activator.failures import Failure
from activator.headers import (
    REQUEST_FIELDS,
    Field,
    is_forwardable_trailer,
    named_by_connection,
    tokens,
    without_fields,
)

CHUNKED = -1
_LINE_FEED = 0x0A


@dataclass(frozen=True, slots=True)
class FramingLimits:
    """Bounds of a request head."""

    # Envoy's default is 60 KiB, Go's 1 MiB.
    head_octets: int = 64 * 1024
    # Envoy's default is 100, Apache's 100.
    fields: int = 200


DEFAULT_LIMITS = FramingLimits()


class FramingError(Exception):
    """The peer's bytes are not a request: answer with ``failure`` and close."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class RequestHead:
    """A request up to its body. ``lines`` holds the fields that pass through, as they came.

    Defaults sit on the class: a usual request sets four of these attributes, and this is made for
    every request.
    """

    method = b""
    target = b""
    host = b""
    hosts = 0
    # Body: a length, or CHUNKED.
    length = 0
    has_length = False
    http11 = True
    keep_alive = True
    is_absolute = False
    connection = b""
    upgrade = b""
    # Whether the connection is to become something else, if the application agrees.
    upgrades = False
    expects_continue = False
    transfer_encoding = b""
    trailers_welcome = False
    has_forwarding = False
    forwarded_for = b""
    forwarded_proto = b""
    forwarded_host = b""
    forwarded = b""
    probe: bytes | None = None
    probe_hash = b""

    def __init__(self) -> None:
        self.lines: list[bytes] = []


class RequestSink(Protocol):
    """Who gets the events. Calls come in this order: head, any number of pieces, end."""

    def on_request(self, head: RequestHead) -> None: ...

    def on_request_body(self, data: bytes) -> None: ...

    def on_request_end(self, trailers: list[bytes]) -> None: ...


class _Nobody:
    """Hears the events of a head that was made up to bring a parser into position."""

    def on_request(self, head: RequestHead) -> None:
        pass

    def on_request_body(self, data: bytes) -> None:
        pass

    def on_request_end(self, trailers: list[bytes]) -> None:
        pass


class RequestReader:
    """One connection's requests, one after the other."""

    __slots__ = (
        "_head",
        "_is_closing",
        "_is_large",
        "_is_premature",
        "_limits",
        "_octets",
        "_parser",
        "_sink",
        "_target",
        "_trailers",
        "held",
        "in_head",
        "in_message",
    )

    def __init__(self, sink: RequestSink, limits: FramingLimits = DEFAULT_LIMITS) -> None:
        self._sink = sink
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._head = RequestHead()
        self._target = b""
        self._trailers: list[bytes] = []
        self._octets = 0
        self._is_large = False
        self._is_premature = False
        # The last request asked to close: whatever follows it is not looked at.
        self._is_closing = False
        self.in_head = False
        self.in_message = False
        # Bytes after a head that asks for an upgrade; None while there is no such question.
        self.held: bytes | None = None

    def feed(self, data: bytes) -> None:
        """Take in what has been received. Raises FramingError once the stream is broken."""
        if self.held is not None:
            self.held += data
            return
        if not self.in_message:
            if self._is_closing:
                return
            if data[0] == _LINE_FEED:
                # llhttp skips any empty line before a request; only CRLF is one.
                raise FramingError(failures.BAD_REQUEST)
        self._is_large = len(data) + self._octets > self._limits.head_octets
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as pause:
            self._after_upgrade(data[pause.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(error)
        if self.in_head:
            self._octets += len(data)
            if self._octets > self._limits.head_octets:
                raise FramingError(failures.HEAD_TOO_LARGE)

    def _refuse(self, error: httptools.HttpParserError) -> None:
        cause = error.__context__
        if isinstance(error, httptools.HttpParserCallbackError):
            raise (cause if isinstance(cause, FramingError) else error) from None
        if not self._is_closing or self.in_message:
            raise FramingError(failures.BAD_REQUEST) from error

    def resume(self) -> None:
        """The application did not agree to the upgrade: go on reading requests."""
        held, self.held = self.held, None
        self._parser = httptools.HttpRequestParser(self)
        if held:
            self.feed(held)

    def take_held(self) -> bytes:
        """The application agreed: the bytes that already belong to the new protocol."""
        return self.held or b""

    def _after_upgrade(self, rest: bytes) -> None:
        if self._head.method == b"CONNECT":
            raise FramingError(failures.CONNECT_REFUSED)
        if self._head.upgrades:
            self.held = rest
            return
        self._parser = httptools.HttpRequestParser(self)
        if self._is_premature:
            self._is_premature = False
            self._prime()
        if rest:
            self.feed(rest)

    def _prime(self) -> None:
        """Bring a fresh parser to where this request's body begins, its offer left out."""
        head, sink, is_closing = self._head, self._sink, self._is_closing
        framing = (
            b"Transfer-Encoding: chunked"
            if head.length == CHUNKED
            else b"Content-Length: %d" % head.length
        )
        if is_closing:
            framing += b"\r\nConnection: close"
        self._sink = _Nobody()
        self._parser.feed_data(b"POST / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % framing)
        self._head, self._sink, self._is_closing = head, sink, is_closing

    # llhttp's callbacks.

    def on_message_begin(self) -> None:
        self._head = RequestHead()
        self._target = b""
        self._octets = 0
        self.in_head = self.in_message = True
        if self._trailers:
            self._trailers = []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:
            self._on_trailer(name, value)
            return
        take = _ON_FIELD.get(name.lower())
        if take is None:
            self._head.lines.append(name + b": " + value)
        else:
            take(self._head, value)

    def on_headers_complete(self) -> None:
        head, parser = self._head, self._parser
        self.in_head = False
        head.method = parser.get_method()
        head.target = target = self._target
        if self._is_large or len(head.lines) > self._limits.fields:
            self._check_sizes()
        self._octets = 0
        if (
            head.connection
            or head.transfer_encoding
            or head.hosts != 1
            # Without a Connection field this is true for HTTP/1.1 and for nothing else.
            or not parser.should_keep_alive()
        ):
            self._settle(head, parser.get_http_version())
        if target[:1] != b"/" or b"#" in target:
            self._settle_target(head)
        self._sink.on_request(head)

    def on_body(self, data: bytes) -> None:
        self._sink.on_request_body(data)

    def on_message_complete(self) -> None:
        if self._is_premature:
            return
        self.in_message = False
        self._sink.on_request_end(self._trailers)

    # Details.

    def _on_trailer(self, name: bytes, value: bytes) -> None:
        if is_forwardable_trailer(name):
            self._trailers.append(name + b": " + value)
        self._octets += len(name) + len(value) + 4
        if self._octets > self._limits.head_octets or len(self._trailers) > self._limits.fields:
            raise FramingError(failures.HEAD_TOO_LARGE)

    def _check_sizes(self) -> None:
        limits, head = self._limits, self._head
        size = len(head.target) + len(head.host) + sum(len(line) + 2 for line in head.lines)
        if size > limits.head_octets or len(head.lines) > limits.fields:
            raise FramingError(failures.HEAD_TOO_LARGE)

    def _settle(self, head: RequestHead, version: str) -> None:
        """Everything that a plain HTTP/1.1 request with a Host does not need."""
        head.keep_alive = self._parser.should_keep_alive()
        self._settle_version(head, version)
        if head.transfer_encoding:
            self._settle_coding(head)
        if head.connection:
            self._settle_connection(head)

    def _settle_version(self, head: RequestHead, version: str) -> None:
        if version not in ("1.0", "1.1"):
            raise FramingError(
                failures.BAD_REQUEST if version == "0.9" else failures.UNSUPPORTED_VERSION
            )
        head.http11 = version == "1.1"
        # RFC 9112, section 3.2: exactly one Host; HTTP/1.0 may go without.
        if head.hosts > 1 or (head.http11 and head.hosts == 0):
            raise FramingError(failures.BAD_REQUEST)
        if not head.http11:
            # Section 6.1: with a Transfer-Encoding in HTTP/1.0 the framing is faulty.
            if head.transfer_encoding:
                raise FramingError(failures.BAD_REQUEST)
            head.upgrade = b""
        self._is_closing = not head.keep_alive

    def _settle_coding(self, head: RequestHead) -> None:
        """llhttp has made sure that there is no length beside the coding."""
        codings = tokens(head.transfer_encoding)
        if codings[-1:] != [b"chunked"]:
            raise FramingError(failures.BAD_REQUEST)
        if len(codings) > 1:
            # Other codings would have to be undone for the framing to stay true.
            raise FramingError(failures.UNSUPPORTED_CODING)
        head.length = CHUNKED

    def _settle_connection(self, head: RequestHead) -> None:
        extra = named_by_connection(head.connection)
        if extra - {b"upgrade", b"te", b"http2-settings"}:
            head.lines = without_fields(head.lines, extra)
        offered = tokens(head.upgrade)
        # An offer of h2c may be ignored, and is: this hop speaks HTTP/1.1. A request with a body
        # cannot become a tunnel before its body has ended, so that offer is ignored as well.
        head.upgrades = (
            b"upgrade" in extra and bool(offered) and b"h2c" not in offered and head.length == 0
        )
        # A tunnel ends the connection, so "close" beside an upgrade changes nothing.
        if head.upgrades:
            head.keep_alive = True
            self._is_closing = False
        # llhttp takes a body behind an offer to upgrade for the new protocol's bytes.
        self._is_premature = bool(head.length) and self._parser.should_upgrade()

    def _settle_target(self, head: RequestHead) -> None:
        target = head.target
        if b"#" in target:
            raise FramingError(failures.BAD_REQUEST)
        if head.method == b"CONNECT":
            raise FramingError(failures.CONNECT_REFUSED)
        if target == b"*" and head.method == b"OPTIONS":
            return
        scheme, separator, rest = target.partition(b"://")
        authority = rest.split(b"/", 1)[0].split(b"?", 1)[0]
        if not separator or scheme.lower() != b"http" or not authority or b"@" in authority:
            raise FramingError(failures.BAD_REQUEST)
        path = rest[len(authority) :]
        head.is_absolute = True
        head.target = path if path[:1] == b"/" else b"/" + path
        # RFC 9112, section 3.2.2: the target's authority replaces the Host field.
        head.host = authority


def _on_host(head: RequestHead, value: bytes) -> None:
    head.host = value.rstrip(b" \t")
    head.hosts += 1


def _on_length(head: RequestHead, value: bytes) -> None:
    head.length = int(value)
    head.has_length = True


def _on_transfer_encoding(head: RequestHead, value: bytes) -> None:
    head.transfer_encoding += value


def _on_connection(head: RequestHead, value: bytes) -> None:
    head.connection = head.connection + b"," + value if head.connection else value


def _on_upgrade(head: RequestHead, value: bytes) -> None:
    head.upgrade = head.upgrade + b", " + value if head.upgrade else value


def _on_expect(head: RequestHead, value: bytes) -> None:
    head.expects_continue = value.strip(b" \t").lower() == b"100-continue"


def _on_forwarded_for(head: RequestHead, value: bytes) -> None:
    head.has_forwarding = True
    head.forwarded_for = head.forwarded_for + b", " + value if head.forwarded_for else value


def _on_forwarded_proto(head: RequestHead, value: bytes) -> None:
    head.has_forwarding = True
    head.forwarded_proto = value


def _on_forwarded_host(head: RequestHead, value: bytes) -> None:
    head.has_forwarding = True
    head.forwarded_host = value


def _on_forwarded(head: RequestHead, value: bytes) -> None:
    head.has_forwarding = True
    head.forwarded = head.forwarded + b", " + value if head.forwarded else value


def _on_te(head: RequestHead, value: bytes) -> None:
    head.trailers_welcome = b"trailers" in tokens(value)


def _on_probe(head: RequestHead, value: bytes) -> None:
    head.probe = value


def _on_probe_hash(head: RequestHead, value: bytes) -> None:
    head.probe_hash = value


def _on_drop(head: RequestHead, value: bytes) -> None:
    """Not passed on."""


_READERS: dict[Field, Callable[[RequestHead, bytes], None]] = {
    Field.HOST: _on_host,
    Field.CONTENT_LENGTH: _on_length,
    Field.TRANSFER_ENCODING: _on_transfer_encoding,
    Field.CONNECTION: _on_connection,
    Field.UPGRADE: _on_upgrade,
    Field.EXPECT: _on_expect,
    Field.FORWARDED_FOR: _on_forwarded_for,
    Field.FORWARDED_PROTO: _on_forwarded_proto,
    Field.FORWARDED_HOST: _on_forwarded_host,
    Field.FORWARDED: _on_forwarded,
    Field.TE: _on_te,
    Field.PROBE: _on_probe,
    Field.PROBE_HASH: _on_probe_hash,
    Field.DROP: _on_drop,
}
_ON_FIELD = {name: _READERS[field] for name, field in REQUEST_FIELDS.items()}

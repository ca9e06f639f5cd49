"""Requests as llhttp tells of them: its callbacks, and what is settled when a head is whole. Pure.

llhttp (through httptools) does the grammar; what it leaves open is decided here and in ``framing``.
"""

from __future__ import annotations

from typing import Final, Protocol

import httptools

from activator.http import refusals
from activator.http.events import RequestHead
from activator.http.fields import may_be_trailer, named_by_connection, tokens, without_fields
from activator.http.h1.fieldtable import FieldTable
from activator.http.h1.framing import (
    DEFAULT_LIMITS,
    PLAIN,
    TO_HEAD,
    FramingLimits,
    Hop,
    RequestSink,
    check_hosts,
    check_version,
    coded_length,
    decoded_settings,
    settle_expectation,
    settle_target,
)
from activator.http.h1.lines import REQUEST_LINE, behind_empty_lines
from activator.http.refusals import FramingError

_SLASH = b"/"[0]
# What chunks may cost beside their content: for each piece of it a size, line ends and a little.
_CHUNK_OVERHEAD = 32


class Parser(Protocol):
    """llhttp."""

    def feed_data(self, data: bytes | memoryview) -> None:
        """Parse."""

    def get_method(self) -> bytes:
        """The request's method."""

    def get_http_version(self) -> str:
        """Its version, as "1.1"."""

    def should_keep_alive(self) -> bool:
        """Whether another request may follow."""

    def should_upgrade(self) -> bool:
        """Whether it asks for another protocol."""


class OddMethod:
    """A parser whose next request has a method that llhttp does not know: it is shown another."""

    __slots__ = ("_parser", "feed_data", "method")

    SHOWN: Final = b"POST"

    def __init__(self, parser: Parser, method: bytes) -> None:
        self._parser = parser
        self.method = method
        self.feed_data = parser.feed_data

    def get_method(self) -> bytes:
        """The method as it came, once; then those that llhttp sees."""
        method, self.method = self.method, b""
        return method or self._parser.get_method()

    def get_http_version(self) -> str:
        """As llhttp."""
        return self._parser.get_http_version()

    def should_keep_alive(self) -> bool:
        """As llhttp."""
        return self._parser.should_keep_alive()

    def should_upgrade(self) -> bool:
        """As llhttp."""
        return self._parser.should_upgrade()


class RequestParser:
    """One connection's requests, as far as they are parsed."""

    __slots__ = (
        "_behind",
        "_delayed",
        "_excess",
        "_h2c",
        "_is_closing",
        "_is_premature",
        "_is_ready",
        "_known",
        "_learns",
        "_left",
        "_limits",
        "_parser",
        "_pieces",
        "_seen",
        "_sink",
        "_table",
        "_target",
        "_trailers",
        "_whole",
        "_whole_at",
        "connection",
        "expect",
        "head",
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
        self._parser: Parser = httptools.HttpRequestParser(self)
        # The head that is being read, and what it says of this hop.
        self.head = RequestHead()
        self.hosts = 0
        self.connection = self.offered = self.transfer_encoding = b""
        self.expect: bytes | None = None
        # The HTTP2-Settings fields there were, and an offer of h2c that may be taken.
        self.http2_settings: list[bytes] = []
        self._h2c: bytes | None = None
        self._target = b""
        self._trailers: list[tuple[bytes, bytes]] = []
        # A piece with a whole head, and where that begins, until its request line is looked at.
        self._whole: bytes | None = None
        self._whole_at = 0
        # Octets behind a whole head, in the same piece; and what is said of a hop until the body
        # that lies there has been read as well.
        self._behind = 0
        self._delayed: Hop | None = None
        self._left = 0
        # Octets of a chunked body that are no content, less what its chunks have a right to.
        self._excess = 0
        # The content of chunks that is still to be passed on.
        self._pieces: list[bytes] = []
        # llhttp takes a body behind an offer to upgrade for the new protocol's bytes.
        self._is_premature = False
        # The last request asked to close: whatever follows it is not looked at.
        self._is_closing = False
        # A request may begin with the next byte, and nothing is kept.
        self._is_ready = True
        self.in_head = False
        self.in_message = False
        # What the field lines say that came in the last two requests, if they are plain; and that
        # they have come for the second time.
        self._known: RequestHead | None = None
        self._learns = False

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
        whole, self._whole = self._whole, None
        # One space before the target, and one before the version: llhttp would take several.
        if whole is not None and not whole.startswith(
            target + b" H", self._whole_at + len(method) + 1
        ):
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
        elif method == b"HEAD" or method == b"CONNECT":
            hop = _hop_of(method)
        if target[0] != _SLASH or b"#" in target:
            settle_target(head)
        if self.expect is not None:
            expect, self.expect = self.expect, None
            settle_expectation(head, expect, is_11=hop.http11)
        if self._learns:
            self._learn(head, hop)
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
        self._pieces.append(data)

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
            self._end_body()

    def _learn(self, head: RequestHead, hop: Hop) -> None:
        """Remember what its field lines say, unless they are about a body or about this target."""
        self._learns = False
        if hop is PLAIN and not (head.has_length or head.expects_continue or head.is_absolute):
            self._known = head.again(head.target)

    # -- what a plain request does not need ---------------------------------------------------

    def _deliver_pieces(self) -> None:
        """Pass on what chunks have brought in this turn, as one piece."""
        pieces = self._pieces
        if pieces:
            self._pieces = []
            self._sink.on_request_body(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _end_body(self) -> None:
        self._deliver_pieces()
        self._check_excess()
        trailers = self._trailers
        if trailers:
            self._trailers = []
        self._sink.on_request_end(trailers)

    def _check_excess(self) -> None:
        if self._excess > self._limits.head_octets:
            raise FramingError(refusals.BAD_REQUEST)

    def _on_trailer(self, name: bytes, value: bytes) -> None:
        if may_be_trailer(name, self._table.names):
            self._trailers.append((name, value))
        if len(self._trailers) > self._limits.fields:
            raise FramingError(refusals.HEAD_TOO_LARGE)

    def _look_at_line(self, data: bytes) -> None:
        # RFC 9112, section 2.2: empty lines before a request line are passed over.
        if REQUEST_LINE.match(data, behind_empty_lines(data, self._whole_at)) is None:
            raise FramingError(refusals.BAD_REQUEST)

    def _settle(self, head: RequestHead, version: str) -> Hop:
        is_11 = check_version(version)
        check_hosts(self.hosts, is_11=is_11)
        if head.method == b"CONNECT":
            raise FramingError(refusals.CONNECT_REFUSED)
        keep_alive = self._parser.should_keep_alive()
        if self.transfer_encoding:
            head.length = coded_length(self.transfer_encoding, is_11=is_11)
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
            self._h2c = decoded_settings(self.http2_settings)
        self.http2_settings.clear()
        self._is_premature = bool(head.length) and self._parser.should_upgrade()


def _hop_of(method: bytes) -> Hop:
    """The hop of a method that is not like the others."""
    if method == b"CONNECT":
        raise FramingError(refusals.CONNECT_REFUSED)
    return TO_HEAD

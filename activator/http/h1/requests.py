"""Requests from a byte stream, strictly by RFC 9112: bytes in, heads and body pieces out. Sans-IO.

Called by the server half; knows no socket. Refused with 400 and a closed connection: a request line
that is not three words, a Transfer-Encoding beside a Content-Length, more than one or a malformed
Content-Length, malformed chunks, bare CR or LF, folded lines, whitespace before a colon, a missing
or doubled Host.

However the stream is cut into pieces, the events are the same. The stream is given to llhttp
message by message, so that each request line is seen before llhttp, which is lenient about it.

A connection's requests often differ in nothing but their targets. Field lines that come for the
third time, byte for byte, mean what they meant before, and are not parsed again.
"""

from __future__ import annotations

import httptools

from activator.http import refusals
from activator.http.events import UNKNOWN
from activator.http.h1.fieldtable import FieldTable
from activator.http.h1.framing import (
    DEFAULT_LIMITS,
    PLAIN,
    FramingLimits,
    NoSink,
    RequestSink,
    made_up_head,
)
from activator.http.h1.lines import (
    END_OF_HEAD,
    PART_OF_LINE,
    PLAIN_LINE,
    REQUEST_LINE,
    USUAL_METHODS,
    behind_empty_lines,
    find_empty_line,
    is_of_another_version,
    odd_method,
    refused_line,
)
from activator.http.h1.parsing import OddMethod, RequestParser
from activator.http.refusals import FramingError

_SPACE = b" "[0]
_SMALL_OCTETS = 8 * 1024
# Of field lines that are kept, for each connection.
_REPEATED_OCTETS = 1024


class RequestReader(RequestParser):
    """One connection's requests, one after the other."""

    __slots__ = ("_lines", "_octets", "_start", "_tail", "held")

    def __init__(
        self, sink: RequestSink, table: FieldTable, limits: FramingLimits = DEFAULT_LIMITS
    ) -> None:
        super().__init__(sink, table, limits)
        # A request line that has not come to its end.
        self._start = b""
        # The last bytes of a piece in which a head's end may have begun.
        self._tail = b""
        # The field lines of the last head that came whole and alone.
        self._lines = b""
        # Of the head that comes in several pieces.
        self._octets = 0
        # Bytes after a head that asks for an upgrade; None while there is no such question.
        self.held: bytes | None = None

    def feed(self, data: bytes) -> None:
        """Take in what has been received. Raises FramingError once the stream is broken."""
        if not self._is_ready:
            # Not before anything is looked for in it: it may be a large piece of a body.
            self._feed(data)
            return
        end = data.find(END_OF_HEAD) + 4
        if not 4 < end <= self._limits.head_octets:
            self._feed(data)
            return
        # A whole head, which is by far the most usual; nearly as often nothing is behind it.
        size = len(data)
        if end == size:
            if self._is_repeated(data):
                return
            self._whole = data
            self._whole_at = 0
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade:
                self._after_upgrade()
                return
            except httptools.HttpParserError as error:
                head = self._refused(error)
            # Not within the handler: llhttp's binding tells of an error of ours by its context.
            self._feed(head)
            return
        self._whole = data
        self._whole_at = 0
        at = self._feed_whole(data, end)
        if at < size:
            self._feed(data[at:])

    def _is_repeated(self, data: bytes) -> bool:
        """Whether its field lines came twice before, and its line is usual; then it is told of."""
        lines = data[data.find(b"\n") + 1 :]
        if lines != self._lines:
            self._lines = lines if len(lines) <= _REPEATED_OCTETS else b""
            self._known = None
            return False
        known = self._known
        if known is None:
            self._learns = True
            return False
        line = PLAIN_LINE.match(data)
        if line is None or line[1] != known.method:
            return False
        self._sink.on_request(known.again(line[2]), PLAIN)
        return True

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
            if self._delayed is not None:
                self._left = 0
                self._parse(view[at:stop])
                at = stop
            if not self._is_ready or at >= size or data[at] <= _SPACE:
                return at
            end = data.find(END_OF_HEAD, at) + 4
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
            if self._left > 0:
                at = self._take_body(data, at)
                continue
            if not self.in_message:
                if self._is_closing:
                    return
                at = self._begin(data, at)
                if at == size:
                    return
            stop = self._find_stop(data, at)
            is_chunked = self.in_message and not self.in_head and self.head.length == UNKNOWN
            parse = self._parse_chunks if is_chunked else self._parse
            parse(view[at:stop] if at or stop < size else data)
            at = stop

    def _take_body(self, data: bytes, at: int) -> int:
        """Pass on what there is of a body whose length is known; where its octets end.

        They are counted and not parsed: llhttp starts afresh behind them.
        """
        size = len(data) - at
        if size < self._left:
            self._left -= size
            self._sink.on_request_body(data[at:] if at else data)
            return len(data)
        stop = at + self._left
        self._left = 0
        self._parser = httptools.HttpRequestParser(self)
        self.in_message = False
        self._is_ready = not self._is_closing
        # Compiled, a slice of the whole is a copy.
        self._sink.on_request_body(data[at:stop] if at or stop < len(data) else data)
        self._sink.on_request_end(())
        return stop

    def _begin(self, data: bytes, at: int) -> int:
        """Where a request goes on whose line is whole; the end of the data when there is none yet.

        A method that llhttp does not know is behind that place, and another one shown to it.
        """
        line = None if data[at : at + 1] == b"\r" else REQUEST_LINE.match(data, at)
        if line is None:
            # RFC 9112, section 2.2: empty lines before a request line are passed over.
            at = behind_empty_lines(data, at)
            line = REQUEST_LINE.match(data, at)
            if line is None:
                self._wait_for_line(data[at:])
                return len(data)
        self._octets = 0
        self._tail = b""
        method = line[1]
        if method in USUAL_METHODS:
            return at
        if isinstance(self._parser, OddMethod):
            self._parser.method = method
        else:
            self._parser = OddMethod(self._parser, method)
        self._parse(OddMethod.SHOWN)
        return at + len(method)

    def _wait_for_line(self, line: bytes) -> None:
        if is_of_another_version(line):
            raise refused_line(line)
        if len(line) > self._limits.head_octets:
            raise FramingError(refusals.HEAD_TOO_LARGE)
        if line and line != b"\r":
            if PART_OF_LINE.fullmatch(line) is None:
                raise FramingError(refusals.BAD_REQUEST)
            self.in_head = True
        self._start = line
        self._is_ready = False

    def _find_stop(self, data: bytes, at: int) -> int:
        """Up to where one call of llhttp may go: the end of a head, of chunks or of the data."""
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
            end = joined.find(END_OF_HEAD)
            if end >= 0:
                stop = at + end + 4 - len(self._tail)
                self._tail = b""
                return stop
        end = find_empty_line(data, at)
        if end >= 0:
            self._tail = b""
            return end + 4
        self._tail = (self._tail + data[at:])[-3:] if len(data) - at < 3 else data[-3:]
        return len(data)

    # -- parsing ------------------------------------------------------------------------------

    def _parse(self, piece: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(piece)
            return
        except httptools.HttpParserUpgrade:
            self._after_upgrade()
            return
        except httptools.HttpParserError as error:
            head = self._refused(error)
        self._feed(head)

    def _parse_chunks(self, piece: bytes | memoryview) -> None:
        """The same within a chunked body: what is between its pieces has a bound."""
        self._excess += len(piece)
        self._parse(piece)
        self._deliver_pieces()
        if self._excess < 0:
            self._excess = 0
        self._check_excess()

    def _refused(self, error: httptools.HttpParserError) -> bytes:
        """A head of which only the method is unknown to llhttp, to be read with a look at its line.

        Raises FramingError for all others.
        """
        if isinstance(error, httptools.HttpParserCallbackError):
            cause = error.__context__
            raise (cause if isinstance(cause, FramingError) else error) from None
        whole, self._whole = self._whole, None
        if whole is None:
            raise FramingError(refusals.BAD_REQUEST) from error
        at = behind_empty_lines(whole, self._whole_at)
        if not odd_method(whole, at):
            raise refused_line(whole[at:]) from error
        self._parser = httptools.HttpRequestParser(self)
        self.in_head = self.in_message = False
        return whole[at : whole.index(END_OF_HEAD, at) + 4]

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
            if self.head.length == UNKNOWN:
                self._prime()

    def _prime(self) -> None:
        """Bring a fresh parser to where this request's body begins, its offer left out."""
        head, sink, left, is_closing = self.head, self._sink, self._left, self._is_closing
        self._sink = NoSink()
        self._behind = 0
        self._parser.feed_data(made_up_head(head.length, is_closing=is_closing))
        self.head, self._sink, self._left = head, sink, left
        self._is_closing = is_closing

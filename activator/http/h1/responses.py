"""Responses from a byte stream: bytes in, heads and body pieces out. Sans-IO.

Called by the client half for each piece that arrives. llhttp (through httptools) watches the
framing; the bytes themselves are handed on as they came wherever the receiver can take them so, and
the usual response costs no copy. Octets of a body with a length are only counted.

Read more kindly than requests, for an application must not fail by what does no harm: equal
Content-Length lines are one (RFC 9110, section 8.6), a body where none is allowed is left out with
its connection, and so are fields that a head of its kind must not have. Refused is what cannot be
told apart from something else: line ends that are a bare LF, two framings, codings other than
chunked.
"""

from __future__ import annotations

import re

from activator.http.events import SWITCHING, BodyForm, RequestHead, ResponseHead
from activator.http.fields import Field
from activator.http.h1.statuslines import USUAL, final_status, interim_status
from activator.http.h1.watching import ERRORS, BadResponse, Collect, Watch, only_chunked

MAX_HEAD_OCTETS = 64 * 1024

_SIZED, _OPEN, _CHUNKED = BodyForm.SIZED, BodyForm.OPEN, BodyForm.CHUNKED
_PLAIN_OCTETS = 1024
_END_OF_HEAD = b"\r\n\r\n"
_LINE_END = b"\r\n"
# No message ends so: its last chunk or trailer and the empty line are two.
_THREE_LINE_ENDS = b"\r\n\r\n\r\n"
_PROTOCOL = b"HTTP/1."
_NO_BODY = frozenset((b"204", b"304"))
# In a head in lower case: fields that keep it from being handed on as it came.
_SPECIAL = re.compile(rb"\n(?:connection:|keep-alive:|upgrade:|proxy-|transfer-encoding:)")
_CODING = b"\ntransfer-encoding:"
_LENGTH = re.compile(rb"\n(?:content-length|transfer-encoding):")
_LENGTH_VALUE = re.compile(rb"\ncontent-length:[ \t]*([0-9]+)")
_LENGTH_LINE = re.compile(rb"\r\ncontent-length:([^\r]*)", re.IGNORECASE)
_FRAMING_LINES = re.compile(rb"\r\n(?:content-length|transfer-encoding):[^\r]*", re.IGNORECASE)
# What an interim head says about the connection would be about the last one's as well.
_HOP_LINES = re.compile(
    rb"\r\n(?:connection|keep-alive|upgrade|proxy-[a-z]+):[^\r]*", re.IGNORECASE
)
_ANNOUNCED_BODY = re.compile(rb"\n(?:content-length:[ \t]*0*[1-9]|transfer-encoding:)")
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")


class ResponseReader:
    """One connection's responses: ``begin`` before each, ``head`` until there is one, ``body``."""

    __slots__ = (
        "_collects",
        "_left",
        "_partial",
        "_plain",
        "_plain_at",
        "_plain_status",
        "_request",
        "_tail",
        "_takes_chunks",
        "_watch",
        "complete",
        "in_body",
        "is_doubtful",
        "is_open",
        "rest",
        "reusable",
    )

    def __init__(self) -> None:
        self._watch = Watch()
        self._partial = b""
        self._request = RequestHead()
        self._takes_chunks = False
        self._collects = False
        # Octets to come of a body with a length.
        self._left = 0
        # The last octets of a chunked body, as far as its end could be among them.
        self._tail = b""
        # The last response that was small, whole, plain and not the end of its connection: one
        # that is the same byte for byte means the same, and is not parsed again.
        self._plain = b""
        self._plain_at = self._plain_status = 0
        self.in_body = False
        # The response is whole.
        self.complete = False
        # The connection may carry another request after this response.
        self.reusable = True
        # A careless application may send a body after a head that has none: look before reuse.
        self.is_doubtful = False
        # Only the end of the connection ends the body.
        self.is_open = False
        # What came behind an informational head.
        self.rest = b""

    def begin(self, request: RequestHead, takes_chunks: bool) -> None:
        """Get ready for the response to a request; what only a last response changes stays."""
        self._request = request
        self._takes_chunks = takes_chunks
        self.in_body = self.complete = self.is_doubtful = False
        if self._collects:
            self._collects = False
            self._watch = Watch()
        else:
            watch = self._watch
            watch.begun = 0
            watch.complete = False

    @property
    def has_begun(self) -> bool:
        """Whether a byte of the response has come."""
        return self.in_body or self.complete or bool(self._partial)

    def head(self, data: bytes) -> ResponseHead | None:
        """The head, once it is whole. Raises BadResponse.

        After one with a status below 200 (and not 101) ``rest`` is to be given in again.
        """
        if self._partial:
            data, self._partial = self._partial + data, b""
        elif data == self._plain and self._request.method != b"HEAD":
            self.in_body = self.complete = True
            return ResponseHead(self._plain_status, data, self._plain_at, True)
        end = data.find(_END_OF_HEAD)
        if end < 0:
            self._keep(data)
            return None
        if end > MAX_HEAD_OCTETS:
            raise BadResponse("the head is too large")
        line = data[: data.find(b"\r")]
        usual = USUAL.get(line, 0)
        if not usual:
            if data[9:10] == b"1":
                # Status 1xx: not the final response yet.
                return self._interim(line, data, end)
            usual = final_status(line)
        return self._final(data, end, usual)

    def body(self, data: bytes) -> bytes:
        """A further piece: the bytes for the receiver. Raises BadResponse."""
        if self._left:
            self._left -= len(data)
            if self._left <= 0:
                self._end_sized()
            return data
        if self.is_open:
            return data
        if self.complete:
            raise BadResponse("bytes after the end of the response")
        watch = self._watch
        self._parse(data)
        self._tail = data[-6:] if len(data) >= 6 else (self._tail + data)[-6:]
        if watch.complete:
            if self._tail == _THREE_LINE_ENDS:
                raise BadResponse("bytes after the end of the response")
            self.complete = True
            self.reusable = self.reusable and watch.keep_alive
        return watch.take() if isinstance(watch, Collect) else data

    def end(self) -> None:
        """The connection has ended. Raises BadResponse unless that ends the body."""
        if not (self.in_body and self.is_open):
            raise BadResponse("the connection was closed within the response")
        self.complete = True

    def take_trailers(self) -> list[Field]:
        """The trailers of a response whose chunks were undone."""
        watch = self._watch
        if not isinstance(watch, Collect):
            return []
        trailers, watch.trailers = watch.trailers, []
        return trailers

    # -- the head -----------------------------------------------------------------------------

    def _keep(self, data: bytes) -> None:
        """A part of a head; what can only be something else is refused at once."""
        if not _PROTOCOL.startswith(data[:7]) or _BARE_LINE_FEED.search(data) is not None:
            raise BadResponse("the application does not speak HTTP/1")
        if len(data) > MAX_HEAD_OCTETS:
            raise BadResponse("the head is too large")
        self._partial = data

    def _interim(self, line: bytes, data: bytes, end: int) -> ResponseHead:
        status = interim_status(line)
        wire, rest = _FRAMING_LINES.sub(b"", data[:end]) + _END_OF_HEAD, data[end + 4 :]
        bare = _HOP_LINES.sub(b"", wire)
        try:
            Watch().parser.feed_data(b"HTTP/1.1 204 -" + bare[bare.index(_LINE_END) :])
        except ERRORS as error:
            raise BadResponse("the head of an interim response is malformed") from error
        if status == SWITCHING:
            if not self._request.upgrade or data[7:8] == b"0":
                raise BadResponse("an upgrade that nobody asked for")
            self.in_body = self.is_open = True
            self.reusable = False
            return ResponseHead(SWITCHING, wire + rest, len(wire), True)
        self.rest = rest
        return ResponseHead(status, bare, len(bare), bare.startswith(b"HTTP/1.1 "))

    def _final(self, data: bytes, end: int, usual: int) -> ResponseHead | None:
        fields = data[:end].lower()
        special = _SPECIAL.search(fields)
        form = _SIZED if special is None else self._settle_coding(fields)
        is_bare = self._request.method == b"HEAD" or (not usual and data[9:12] in _NO_BODY)
        watch = self._watch
        try:
            watch.parser.feed_data(data[: end + 4] if is_bare else data)
        except ERRORS:
            return self._folded(data, end)
        if watch.begun != 1:
            raise BadResponse("the head is malformed, or bytes came after the response")
        is_verbatim = special is None or (form is _CHUNKED and _is_coding_all(fields, special))
        is_verbatim = is_verbatim and (usual != 0 or data.startswith(b"HTTP/1.1 "))
        head = ResponseHead(usual or watch.parser.get_status_code(), data, end + 4, is_verbatim)
        if is_bare:
            self._end_bare(head, fields)
            return head
        self.in_body = True
        if watch.complete:
            self.complete = True
            self.reusable = watch.keep_alive
            if special is not None or (len(data) > end + 4 and data.endswith(_LINE_END)):
                self._look_at_end(head, fields)
            if usual and special is None and self.reusable and len(data) <= _PLAIN_OCTETS:
                self._plain, self._plain_at, self._plain_status = data, end + 4, usual
        elif form is _SIZED:
            form = self._settle_rest(head, fields)
        else:
            self._begin_chunks(data)
        if form:
            self._settle_form(head, form)
        return head

    def _look_at_end(self, head: ResponseHead, fields: bytes) -> None:
        """All of it has come in one piece; llhttp takes an empty line behind it for nothing."""
        wire = head.wire
        if len(wire) > head.body_at and wire.endswith(_LINE_END):
            length = _LENGTH_VALUE.search(fields)
            is_more = (
                wire.endswith(_THREE_LINE_ENDS)
                if length is None
                else int(length[1]) != len(wire) - head.body_at
            )
            if is_more:
                raise BadResponse("bytes after the end of the response")
        if _CODING in fields and wire[7:8] == b"0":
            self.reusable = False

    def _settle_rest(self, head: ResponseHead, fields: bytes) -> BodyForm:
        """More is to come of a body that is not chunked."""
        length = _LENGTH_VALUE.search(fields)
        if length is not None:
            self.reusable = self._watch.parser.should_keep_alive()
            self._left = int(length[1]) - (len(head.wire) - head.body_at)
            return _SIZED
        # Only the end of the connection can end this body.
        self.is_open = True
        self.reusable = False
        return _OPEN

    def _begin_chunks(self, data: bytes) -> None:
        self._tail = data[-6:]
        # RFC 9112, section 6.1: in HTTP/1.0 its framing is faulty, so nothing may follow it.
        self.reusable = data[7:8] == b"1"

    def _end_sized(self) -> None:
        if self._left < 0:
            raise BadResponse("bytes after the end of the response")
        self.complete = True
        # llhttp has not seen the end.
        self._watch = Watch()

    def _settle_form(self, head: ResponseHead, form: BodyForm) -> None:
        head.form = form
        if isinstance(self._watch, Collect):
            head.wire = head.wire[: head.body_at] + self._watch.take()

    def _settle_coding(self, fields: bytes) -> BodyForm:
        if _CODING not in fields:
            return _SIZED
        only_chunked(fields)
        if self._takes_chunks:
            return _CHUNKED
        self._watch = Collect()
        self._collects = True
        return _OPEN

    def _folded(self, data: bytes, end: int) -> ResponseHead | None:
        """Once more with equal Content-Length lines made one."""
        values = [
            value.strip(b" \t")
            for line in _LENGTH_LINE.findall(data, 0, end)
            for value in line.split(b",")
        ]
        if len(values) < 2 or len(set(values)) > 1:
            raise BadResponse("the response is malformed")
        rest = _LENGTH_LINE.sub(b"", data[:end])
        self._watch = Watch()
        folded = b"%b\r\nContent-Length: %b" % (rest, values[0])
        return self.head(folded + data[end:])

    def _end_bare(self, head: ResponseHead, fields: bytes) -> None:
        """A response that has no body by its status or its request.

        llhttp does not know of HEAD and may wait for a body: it starts afresh. Bytes that came
        behind the head are that body; they are left out, and so is the connection.
        """
        has_body = len(head.wire) > head.body_at
        announces = _ANNOUNCED_BODY.search(fields) is not None
        self.reusable = self._watch.may_keep_alive() and not has_body
        if has_body:
            head.wire = head.wire[: head.body_at]
        if announces:
            # Of a 204 a length is wrong in itself, of the others it may be another request's.
            self.is_doubtful = True
            if head.status == 204:
                self.reusable = False
                head.wire = _FRAMING_LINES.sub(b"", head.wire)
                head.body_at = len(head.wire)
        self.complete = True
        self._watch = Watch()

    # -- llhttp -------------------------------------------------------------------------------

    def _parse(self, data: bytes) -> None:
        watch = self._watch
        try:
            watch.parser.feed_data(data)
        except ERRORS as error:
            raise BadResponse("the response is malformed") from error
        if watch.begun > 1:
            raise BadResponse("bytes after the end of the response")


def _is_coding_all(fields: bytes, special: re.Match[bytes]) -> bool:
    """Whether nothing but the coding keeps a head from being handed on: chunks are as they are."""
    return special[0] == _CODING and _SPECIAL.search(fields, special.end()) is None

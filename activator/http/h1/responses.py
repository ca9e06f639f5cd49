"""Responses from a byte stream: bytes in, heads and body pieces out. Sans-IO.

Called by the client half for each piece that arrives. llhttp (through httptools) watches the
framing; the bytes themselves are handed on as they came wherever the receiver can take them so, and
the usual response costs no copy.

Read more kindly than requests, for an application must not fail by what does no harm: equal
Content-Length lines are one (RFC 9110, section 8.6), and a body where none is allowed is left out,
with its connection. Refused is what cannot be told apart from something else: line ends that are a
bare LF, two framings, codings other than chunked.
"""

from __future__ import annotations

import re

import httptools

from activator.http.events import SWITCHING, BodyForm, RequestHead, ResponseHead
from activator.http.fields import Field, may_be_trailer, tokens

MAX_HEAD_OCTETS = 64 * 1024

_SIZED, _OPEN, _CHUNKED = BodyForm.SIZED, BodyForm.OPEN, BodyForm.CHUNKED
_PLAIN_OCTETS = 1024
_END_OF_HEAD = b"\r\n\r\n"
_PROTOCOL = b"HTTP/1."
_NO_BODY = frozenset((b"204", b"304"))
# How nearly every response with a body begins: protocol and status in one look.
_USUAL = {
    b"HTTP/1.1 %d" % status: status for status in range(200, 600) if b"%d" % status not in _NO_BODY
}
# In a head in lower case: fields that keep it from being handed on as it came.
_SPECIAL = re.compile(rb"\n(?:connection:|keep-alive:|upgrade:|proxy-|transfer-encoding:)")
_CODING = b"\ntransfer-encoding:"
_LENGTH = re.compile(rb"\n(?:content-length|transfer-encoding):")
_LENGTH_LINE = re.compile(rb"\r\ncontent-length:([^\r]*)", re.IGNORECASE)
_ANNOUNCED_BODY = re.compile(rb"\n(?:content-length:[ \t]*0*[1-9]|transfer-encoding:)")
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")


# An upgrade that nobody asked for is no response either.
_ERRORS = (httptools.HttpParserError, httptools.HttpParserUpgrade)


class BadResponse(Exception):
    """What came is no response to this request."""


class _Watch:
    """llhttp's view of one response. Without ``on_body``, so that bodies are not copied."""

    __slots__ = ("begun", "complete", "keep_alive", "parser")

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.begun = 0
        self.complete = False
        self.keep_alive = False

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_message_complete(self) -> None:
        self.complete = True
        # llhttp forgets it when the message is over.
        self.keep_alive = self.parser.should_keep_alive()

    def may_keep_alive(self) -> bool:
        """Whether the connection goes on, as far as the head tells."""
        return self.keep_alive if self.complete else self.parser.should_keep_alive()


class _Collect(_Watch):
    """The same with the body's own bytes, for receivers that cannot take chunks."""

    __slots__ = ("body", "headed", "trailers")

    def __init__(self) -> None:
        self.headed = False
        self.body: list[bytes] = []
        self.trailers: list[Field] = []
        super().__init__()

    def on_headers_complete(self) -> None:
        self.headed = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.headed and may_be_trailer(name):
            self.trailers.append((name, value))

    def on_body(self, data: bytes) -> None:
        self.body.append(data)

    def take(self) -> bytes:
        body, self.body = b"".join(self.body), []
        return body


class ResponseReader:
    """One connection's responses: ``begin`` before each, ``head`` until there is one, ``body``."""

    __slots__ = (
        "_collects",
        "_partial",
        "_plain",
        "_plain_at",
        "_plain_status",
        "_request",
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
        self._watch = _Watch()
        self._partial = b""
        self._request = RequestHead()
        self._takes_chunks = False
        self._collects = False
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
            self._watch = _Watch()
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
        usual = _USUAL.get(data[:12], 0)
        # Status 1xx: not the final response yet.
        if not usual and data[9:10] == b"1":
            return self._interim(data, end)
        return self._final(data, end, usual)

    def body(self, data: bytes) -> bytes:
        """A further piece: the bytes for the receiver. Raises BadResponse."""
        if self.is_open:
            return data
        if self.complete:
            raise BadResponse("bytes after the end of the response")
        watch = self._watch
        self._parse(data)
        if watch.complete:
            self.complete = True
            self.reusable = watch.keep_alive
        return watch.take() if isinstance(watch, _Collect) else data

    def end(self) -> None:
        """The connection has ended. Raises BadResponse unless that ends the body."""
        if not (self.in_body and self.is_open):
            raise BadResponse("the connection was closed within the response")
        self.complete = True

    def take_trailers(self) -> list[Field]:
        """The trailers of a response whose chunks were undone."""
        watch = self._watch
        if not isinstance(watch, _Collect):
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

    def _interim(self, data: bytes, end: int) -> ResponseHead:
        if data[9:12] == b"101":
            if not self._request.upgrade:
                raise BadResponse("an upgrade that nobody asked for")
            self.in_body = self.is_open = True
            self.reusable = False
            return ResponseHead(SWITCHING, data, end + 4, True)
        head, self.rest = data[: end + 4], data[end + 4 :]
        self._parse(head)
        watch = self._watch
        status = watch.parser.get_status_code()
        watch.begun = 0
        watch.complete = False
        return ResponseHead(status, head, end + 4, head.startswith(b"HTTP/1.1 "))

    def _final(self, data: bytes, end: int, usual: int) -> ResponseHead | None:
        fields = data[:end].lower()
        special = _SPECIAL.search(fields)
        form = _SIZED if special is None else self._settle_coding(fields)
        is_bare = self._request.method == b"HEAD" or (not usual and data[9:12] in _NO_BODY)
        watch = self._watch
        try:
            watch.parser.feed_data(data[: end + 4] if is_bare else data)
        except _ERRORS:
            return self._folded(data, end)
        status = usual or watch.parser.get_status_code()
        if watch.begun != 1 or not 200 <= status <= 999:
            raise BadResponse("the head is malformed, or bytes came after the response")
        is_verbatim = special is None or (form is _CHUNKED and _is_coding_all(fields, special))
        is_verbatim = is_verbatim and (usual != 0 or data.startswith(b"HTTP/1.1 "))
        head = ResponseHead(status, data, end + 4, is_verbatim)
        if is_bare:
            self._end_bare(head, fields)
            return head
        self.in_body = True
        if watch.complete:
            self.complete = True
            self.reusable = watch.keep_alive
            if usual and special is None and self.reusable and len(data) <= _PLAIN_OCTETS:
                self._plain, self._plain_at, self._plain_status = data, end + 4, status
        elif not watch.parser.should_keep_alive() and _LENGTH.search(fields) is None:
            # Only the end of the connection can end this body.
            self.is_open = True
            self.reusable = False
            form = BodyForm.OPEN
        if form:
            self._settle_form(head, form)
        return head

    def _settle_form(self, head: ResponseHead, form: BodyForm) -> None:
        head.form = form
        if isinstance(self._watch, _Collect):
            head.wire = head.wire[: head.body_at] + self._watch.take()

    def _settle_coding(self, fields: bytes) -> BodyForm:
        if _CODING not in fields:
            return _SIZED
        values = [
            line.partition(b":")[2]
            for line in fields.split(b"\r\n")
            if line.startswith(b"transfer-encoding:")
        ]
        if tokens(b",".join(values)) != [b"chunked"]:
            raise BadResponse("an unknown transfer coding")
        if self._takes_chunks:
            return BodyForm.CHUNKED
        self._watch = _Collect()
        self._collects = True
        return BodyForm.OPEN

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
        self._watch = _Watch()
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
        if announces:
            # Of a 204 a length is wrong in itself, of the others it may be another request's.
            self.reusable = self.reusable and head.status != 204
            self.is_doubtful = True
        if has_body:
            head.wire = head.wire[: head.body_at]
        self.complete = True
        self._watch = _Watch()

    # -- llhttp -------------------------------------------------------------------------------

    def _parse(self, data: bytes) -> None:
        watch = self._watch
        try:
            watch.parser.feed_data(data)
        except _ERRORS as error:
            raise BadResponse("the response is malformed") from error
        if watch.begun > 1:
            raise BadResponse("bytes after the end of the response")


def _is_coding_all(fields: bytes, special: re.Match[bytes]) -> bool:
    """Whether nothing but the coding keeps a head from being handed on: chunks are as they are."""
    return special[0] == _CODING and _SPECIAL.search(fields, special.end()) is None

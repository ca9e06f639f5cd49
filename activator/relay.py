"""Responses on their way back: the application's bytes in, the client's bytes out. Pure.

Called by the upstream connection for each piece that arrives. llhttp (through httptools) watches
the framing; the bytes themselves are handed on as they came unless the head has to change, so the
usual response costs no copy. What has to change: hop-by-hop fields, HTTP/1.0 on either side, a
response that only the end of the connection delimits, a head that gets a field of ours.
"""

from __future__ import annotations

import re

import httptools

from activator.framing import RequestHead
from activator.headers import RESPONSE_HOP_BY_HOP, named_by_connection, tokens

MAX_HEAD_OCTETS = 64 * 1024

_NO_BODY = frozenset((204, 304))
# In a head in lower case: fields that keep it from being handed on as it came.
_SPECIAL = re.compile(rb"\n(?:connection:|keep-alive:|upgrade:|proxy-|transfer-encoding:)")
_CODING = b"\ntransfer-encoding:"
_LENGTH = re.compile(rb"\n(?:content-length|transfer-encoding):")


class BadResponse(Exception):
    """The application's bytes are no response to this request."""


class _Watch:
    """llhttp's view of one response. Without ``on_body``, so that bodies are not copied."""

    __slots__ = ("begun", "complete", "headed", "keep_alive", "parser")

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.reset()

    def reset(self) -> None:
        self.begun = 0
        self.headed = False
        self.complete = False
        self.keep_alive = False

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_headers_complete(self) -> None:
        self.headed = True
        # llhttp forgets it when the message is over.
        self.keep_alive = self.parser.should_keep_alive()

    def on_message_complete(self) -> None:
        self.complete = True


class _Collect(_Watch):
    """The same with the body's own bytes, for clients that cannot take chunks."""

    __slots__ = ("body",)

    def __init__(self) -> None:
        self.body: list[bytes] = []
        super().__init__()

    def on_body(self, data: bytes) -> None:
        self.body.append(data)

    def take(self) -> bytes:
        body, self.body = b"".join(self.body), []
        return body


class ResponseRelay:
    """One upstream connection's responses. ``begin`` before each request, then ``feed``."""

    __slots__ = (
        "_extra",
        "_mode",
        "_partial",
        "_request",
        "_watch",
        "client_closes",
        "complete",
        "head_seen",
        "rest",
        "reusable",
        "status",
        "until_close",
        "upgraded",
    )

    # How body bytes travel.
    _RAW, _DECHUNK, _RECHUNK = range(3)

    def __init__(self) -> None:
        self._watch = _Watch()
        self._mode = self._RAW
        self._partial = b""
        self._extra = b""
        self.status = 0
        # The connection may carry another request after this response.
        self.reusable = True
        self.until_close = False
        self.upgraded = False
        # After an upgrade: bytes that came behind the 101.
        self.rest = b""
        self.begin(RequestHead())

    def begin(self, request: RequestHead, closing: bool = False) -> None:
        """Get ready for the response to this request; ``closing``: the client's last one.

        What only a connection's last response can change is not set again.
        """
        self._request = request
        self.head_seen = False
        self.complete = False
        # The client has been told, or can only tell from it, that its connection ends here.
        self.client_closes = closing or not request.keep_alive
        if self._extra:
            self._extra = b""

    def add_field(self, line: bytes) -> None:
        """A field of ours for the response's head; to be called before it arrives."""
        self._extra += line

    def close_client(self) -> None:
        """The client's connection is to end with this response (drain)."""
        self.client_closes = True

    def feed(self, data: bytes) -> bytes:
        """The bytes for the client, perhaps none yet. Raises BadResponse."""
        if not self.head_seen:
            return self._head(data)
        if self.complete:
            raise BadResponse("bytes after the end of the response")
        return self._body(data)

    def end(self) -> bytes:
        """The application closed the connection. Raises BadResponse unless that ends the body."""
        if not (self.head_seen and self.until_close):
            raise BadResponse("the connection was closed within the response")
        self.complete = True
        return b"0\r\n\r\n" if self._mode == self._RECHUNK else b""

    # The head.

    def _head(self, data: bytes) -> bytes:
        if self._partial:
            data, self._partial = self._partial + data, b""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > MAX_HEAD_OCTETS:
                raise BadResponse("the head is too large")
            self._partial = data
            return b""
        if end > MAX_HEAD_OCTETS:
            raise BadResponse("the head is too large")
        # Status 1xx: not the final response yet.
        if data[9:10] == b"1":
            return self._interim(data, end)
        return self._final(data, end)

    def _interim(self, data: bytes, end: int) -> bytes:
        head, rest = data[: end + 4], data[end + 4 :]
        if data[9:12] == b"101":
            return self._switch(head, rest)
        self._parse(head)
        self._watch.reset()
        # An HTTP/1.0 client knows no interim responses (RFC 9110, section 15.2).
        out = head if self._request.http11 else b""
        return out + self._head(rest) if rest else out

    def _switch(self, head: bytes, rest: bytes) -> bytes:
        if not self._request.upgrades:
            raise BadResponse("an upgrade that nobody asked for")
        self.head_seen = self.complete = self.upgraded = True
        self.reusable = False
        self.status = 101
        self.rest = rest
        return head[:-2] + self._extra + b"\r\n"

    def _final(self, data: bytes, end: int) -> bytes:
        request, watch = self._request, self._watch
        fields = data[:end].lower()
        special = _SPECIAL.search(fields)
        if special is not None and _CODING in fields:
            watch = self._settle_coding(fields)
            if special[0] == _CODING:
                # Chunks are fine as they are; is there anything else?
                special = _SPECIAL.search(fields, special.end())
        self._parse(data)
        self.status = status = watch.parser.get_status_code()
        if not watch.headed or not 200 <= status <= 999:
            raise BadResponse("the head is malformed")
        self.head_seen = True
        if status in _NO_BODY or request.method == b"HEAD":
            self._finish_without_body(len(data) - end - 4)
        elif not watch.keep_alive and _LENGTH.search(fields) is None:
            # Only the end of the connection can end this body.
            self._settle_until_close()
        elif watch.complete:
            self._finish()
        if (
            special is None
            and request.http11
            and self._mode == self._RAW
            and not self.client_closes
            and not self._extra
            and data.startswith(b"HTTP/1.1 ")
        ):
            return data
        return self._rewrite(data, end)

    def _settle_until_close(self) -> None:
        self.until_close = True
        self.reusable = False
        if self._request.http11:
            self._mode = self._RECHUNK
        else:
            self.client_closes = True

    def _settle_coding(self, fields: bytes) -> _Watch:
        values = [
            line.partition(b":")[2]
            for line in fields.split(b"\r\n")
            if line.startswith(b"transfer-encoding:")
        ]
        if tokens(b",".join(values)) != [b"chunked"]:
            raise BadResponse("an unknown transfer coding")
        if not self._request.http11:
            self._dechunk()
        return self._watch

    def _dechunk(self) -> None:
        """An HTTP/1.0 client cannot take chunks: it gets the plain bytes and then the end."""
        self._watch = _Collect()
        self._mode = self._DECHUNK
        self.client_closes = True

    def _rewrite(self, data: bytes, end: int) -> bytes:
        status_line, *lines = data[:end].split(b"\r\n")
        removed = RESPONSE_HOP_BY_HOP
        for line in lines:
            name, _, value = line.partition(b":")
            if name.lower() == b"connection":
                removed |= named_by_connection(value)
        if self._mode == self._DECHUNK:
            removed |= {b"transfer-encoding", b"trailer"}
        kept = [line for line in lines if line.partition(b":")[0].lower() not in removed]
        head = b"\r\n".join([b"HTTP/1.1 " + status_line[9:], *kept, b""]) + self._extra
        return head + self._connection_fields() + b"\r\n" + self._convert(data[end + 4 :])

    def _connection_fields(self) -> bytes:
        fields = b"transfer-encoding: chunked\r\n" if self._mode == self._RECHUNK else b""
        if self.client_closes:
            return fields + b"connection: close\r\n"
        if not self._request.http11:
            return fields + b"connection: keep-alive\r\n"
        return fields

    # The body.

    def _body(self, data: bytes) -> bytes:
        if not self.until_close:
            self._parse(data)
            if self._watch.complete:
                self._finish()
        return data if self._mode == self._RAW else self._convert(data)

    def _convert(self, data: bytes) -> bytes:
        if self._mode == self._RECHUNK:
            return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        if isinstance(self._watch, _Collect):
            return self._watch.take()
        return data

    # llhttp.

    def _parse(self, data: bytes) -> None:
        watch = self._watch
        try:
            watch.parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            raise BadResponse("an upgrade that nobody asked for") from error
        except httptools.HttpParserError as error:
            raise BadResponse("the response is malformed") from error
        if watch.begun > 1:
            raise BadResponse("bytes after the end of the response")

    def _finish(self) -> None:
        watch = self._watch
        self.complete = True
        self.reusable = watch.keep_alive and self._mode == self._RAW
        watch.begun = 0
        watch.headed = watch.complete = False

    def _finish_without_body(self, body_octets: int) -> None:
        """llhttp does not know of HEAD and may wait for a body: it starts afresh."""
        if body_octets:
            raise BadResponse("a body where none is allowed")
        self.complete = True
        self.reusable = self._watch.keep_alive
        self._watch = _Watch()

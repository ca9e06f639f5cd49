"""llhttp's view of one response: where it ends, and whether its connection goes on. Pure."""

from __future__ import annotations

import httptools

from activator.http.fields import Field, may_be_trailer

# An upgrade that nobody asked for is no response either.
ERRORS = (httptools.HttpParserError, httptools.HttpParserUpgrade)


class BadResponse(Exception):
    """What came is no response to this request."""


class Watch:
    """llhttp's view of one response. Without ``on_body``, so that bodies are not copied."""

    __slots__ = ("begun", "complete", "keep_alive", "parser")

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.begun = 0
        self.complete = False
        self.keep_alive = False

    def on_message_begin(self) -> None:
        """Called by llhttp, as are the others."""
        self.begun += 1

    def on_message_complete(self) -> None:
        """The response is whole."""
        self.complete = True
        # llhttp forgets it when the message is over.
        self.keep_alive = self.parser.should_keep_alive()

    def may_keep_alive(self) -> bool:
        """Whether the connection goes on, as far as the head tells."""
        return self.keep_alive if self.complete else self.parser.should_keep_alive()


class Collect(Watch):
    """The same with the body's own bytes, for receivers that cannot take chunks."""

    __slots__ = ("body", "headed", "trailers")

    def __init__(self) -> None:
        self.headed = False
        self.body: list[bytes] = []
        self.trailers: list[Field] = []
        super().__init__()

    def on_headers_complete(self) -> None:
        """What follows are trailers."""
        self.headed = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field, or a trailer."""
        if self.headed and may_be_trailer(name):
            self.trailers.append((name, value))

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self.body.append(data)

    def take(self) -> bytes:
        """What has come of the body since."""
        body, self.body = b"".join(self.body), []
        return body


def only_chunked(fields: bytes) -> None:
    """Whether chunked is the one coding of a head in lower case. Raises BadResponse.

    Said in one line and without any ornament, of which readers make different things.
    """
    values = [
        line.partition(b":")[2]
        for line in fields.split(b"\r\n")
        if line.startswith(b"transfer-encoding:")
    ]
    if len(values) != 1 or values[0].lstrip(b" \t").rstrip(b" ") != b"chunked":
        raise BadResponse("an unknown transfer coding")

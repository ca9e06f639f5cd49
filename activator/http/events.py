"""The seam between protocol halves and everything that works with requests: neutral events.

A **stream** is one request with its response. Its two directions are independent: each is a head,
any number of body pieces, and an end (with trailers) or a reset.

                 server half                                    client half
    bytes  --->  Session.request(stream)     application        Connection.open(handler, head, ...)
                 Handler.on_body, on_end     --------------->   ClientStream.send_body, send_end
    bytes  <---  ServerStream.send_head,     <---------------   ClientHandler.on_response,
                 send_body, send_end                            on_response_body, on_response_end

**Windows.** ``on_window(False)`` says that the other side takes no more for now,
``on_window(True)`` that it does again; what is sent meanwhile is kept. ``pause`` and ``resume`` on
a stream stop and start what it delivers, but ``resume`` delivers nothing before it returns.
**Deadlines** belong to streams too: ``ServerStream.watch`` asks for a call of
``Handler.on_deadline``.

**Heads are lazy.** A head that came over HTTP/1 keeps its bytes (``wire``) and is read further only
when somebody asks for its ``fields``; an HTTP/1 half writes a head that nobody changed as it came.
One that came as fields (``FieldsHead``) has no bytes, and is never ``is_verbatim``.
The first piece of a response's body travels with its head (``ResponseHead.body``), and a flag
``end`` says that nothing follows; a request whose body has come with its head has all of it there
(``RequestHead.body``). So a small message is one call.

**Chunks.** A receiver that ``takes_chunks`` may be given a body whose pieces are still coded in
chunks (``BodyForm.CHUNKED``), trailers included: two HTTP/1.1 halves pass them on untouched. Nobody
else ever sees a chunk.

**Tunnels.** After a response with status 101 both directions carry bytes of another protocol as
body pieces; ``on_end`` and ``send_end`` are half closes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Protocol

from activator.http.fields import (
    HOP_BY_HOP,
    Field,
    Trailers,
    field_lines,
    named_by_connection,
    parse_lines,
    phrase,
    without_fields,
)

UNKNOWN = -1
"""The length of a body that only its end tells."""

SWITCHING = 101


class FieldBlock:
    """Some fields in the form of HTTP/1, made once and sent many times."""

    __slots__ = ("_fields", "_lowered", "wire")

    def __init__(self, wire: bytes) -> None:
        self.wire = wire
        self._fields: list[Field] | None = None
        self._lowered: list[Field] | None = None

    @classmethod
    def of(cls, fields: Iterable[Field]) -> FieldBlock:
        """A block of these fields."""
        return cls(field_lines(fields))

    @property
    def fields(self) -> list[Field]:
        """The same for versions that do not send lines."""
        if self._fields is None:
            self._fields = parse_lines(self.wire.split(b"\r\n")[:-1])
        return self._fields

    @property
    def lowered(self) -> list[Field]:
        """The same with names in lower case, as HTTP/2 has them."""
        if self._lowered is None:
            self._lowered = [(name.lower(), value) for name, value in self.fields]
        return self._lowered


class RequestHead:
    """A request up to its body, received or to be sent."""

    # Slots that are all set: a default on the class costs ten times as much to read, and one of
    # these is made for every request.
    __slots__ = (
        "authority",
        "blocks",
        "body",
        "expects_continue",
        "fields",
        "has_length",
        "is_absolute",
        "length",
        "method",
        "taken",
        "target",
        "upgrade",
        "wants_trailers",
    )

    def __init__(self) -> None:
        self.method = b""
        # Path and query.
        self.target = b""
        # The target came with an authority, as to a proxy.
        self.is_absolute = False
        self.authority = b""
        self.fields: list[Field] = []
        # More fields to be sent, before ``fields``.
        self.blocks: tuple[FieldBlock, ...] = ()
        # Fields that the application asked to find here, by name in lower case, and not in
        # ``fields``. Of a field that came more than once the values are joined by commas.
        self.taken: dict[bytes, bytes] | None = None
        # Octets of the body, or UNKNOWN.
        self.length = 0
        # Whether the length is said in the head; a request without a body may leave it out.
        self.has_length = False
        # The whole body where it has come together with the head; else it is still to come.
        self.body = b""
        # The protocol that a request without a body offers to change to.
        self.upgrade = b""
        self.expects_continue = False
        self.wants_trailers = False

    @classmethod
    def of(
        cls,
        method: bytes,
        target: bytes,
        authority: bytes,
        *,
        blocks: tuple[FieldBlock, ...] = (),
        length: int = 0,
    ) -> RequestHead:
        """A request to be sent."""
        head = cls()
        head.method, head.target, head.authority = method, target, authority
        head.blocks, head.length = blocks, length
        head.has_length = length > 0
        return head

    def again(self, target: bytes) -> RequestHead:
        """Another request that says the same, for this target. What it shares nobody changes."""
        head = RequestHead()
        head.method, head.target, head.authority = self.method, target, self.authority
        head.fields, head.taken = self.fields, self.taken
        head.wants_trailers = self.wants_trailers
        return head

    def octets(self) -> int:
        """About how much this head holds in memory; not for hot paths."""
        fields = sum(len(name) + len(value) + 4 for name, value in self.fields)
        blocks = sum(len(block.wire) for block in self.blocks)
        return fields + blocks + len(self.target) + len(self.body)


class BodyForm(IntEnum):
    """How the body of a response is delimited."""

    SIZED = 0
    """By a length among the fields, or there is none."""
    CHUNKED = 1
    """Its pieces are coded in chunks as they came; only for a receiver that takes chunks."""
    OPEN = 2
    """By its end event."""


# Of the way of every response: a member of an enum takes ten times as long to look up.
_SIZED = BodyForm.SIZED


class ResponseHead:
    """A response up to its body, with the body's first piece: ``wire`` from ``body_at`` on.

    Made by a client half from what came, or by ``of`` for an answer of one's own; such an answer
    may be made once and sent many times.
    """

    __slots__ = ("_fields", "body_at", "closes", "form", "is_verbatim", "status", "wire")

    def __init__(self, status: int, wire: bytes, body_at: int, is_verbatim: bool) -> None:
        self.status = status
        self.wire = wire
        self.body_at = body_at
        # Its lines may be written to an HTTP/1.1 connection as they are.
        self.is_verbatim = is_verbatim
        self.form = _SIZED
        # The client's connection is to end with this response.
        self.closes = False
        self._fields: list[Field] | None = None

    @classmethod
    def of(
        cls, status: int, fields: Iterable[Field] = (), body: bytes = b"", *, closes: bool = False
    ) -> ResponseHead:
        """A whole response of one's own."""
        sized = b"" if status == 204 or status < 200 else b"content-length: %d\r\n" % len(body)
        start = b"HTTP/1.1 %d %b\r\n%b" % (status, phrase(status), sized)
        head = b"%b%b\r\n" % (start, field_lines(fields))
        made = cls(status, head + body, len(head), True)
        made.closes = closes
        return made

    @property
    def body(self) -> bytes:
        """What came of the body together with the head."""
        return self.wire[self.body_at :]

    @property
    def reason(self) -> bytes:
        """The phrase behind the status."""
        return self.wire[: self.wire.index(b"\r\n")][13:]

    @property
    def fields(self) -> list[Field]:
        """All fields but those about the connection and its framing."""
        if self._fields is None:
            self._fields = _end_to_end(parse_lines(self._lines()))
        return self._fields

    def add(self, name: bytes, value: bytes) -> None:
        """Add a field."""
        line = b"%b: %b\r\n" % (name, value)
        at = self.body_at - 2
        self.wire = self.wire[:at] + line + self.wire[at:]
        self.body_at += len(line)
        self._fields = None

    def _lines(self) -> list[bytes]:
        return self.wire[: self.body_at - 4].split(b"\r\n")[1:]


class FieldsHead(ResponseHead):
    """A head that came as fields, as over HTTP/2; lines are made of it where somebody wants them.

    Its names are in lower case, and none is about a connection.
    """

    __slots__ = ("_body",)

    def __init__(self, status: int, fields: list[Field], body: bytes = b"") -> None:
        self.status = status
        self.is_verbatim = False
        self.form = _SIZED
        self.closes = False
        self._fields = fields
        self._body = body

    @property
    def body(self) -> bytes:
        """What came of the body together with the head."""
        return self._body

    @property
    def reason(self) -> bytes:
        """The phrase that HTTP/1 has behind the status."""
        return phrase(self.status)

    @property
    def fields(self) -> list[Field]:
        """All of them."""
        return self._fields or []

    def add(self, name: bytes, value: bytes) -> None:
        """Add a field; the list may be another head's as well."""
        self._fields = [*self.fields, (name.lower(), value)]


CONTINUE = ResponseHead.of(100)


def _end_to_end(fields: list[Field]) -> list[Field]:
    removed = HOP_BY_HOP | {b"transfer-encoding"}
    for name, value in fields:
        if name.lower() == b"connection":
            removed |= named_by_connection(value)
    return without_fields(fields, removed)


class Lost(Enum):
    """Why a stream to a peer ended before its response did."""

    CLOSED = "closed"
    """The connection ended."""
    MALFORMED = "malformed"
    """What came is no response to this request."""
    REFUSED = "refused"
    """The peer says that nothing there has looked at the request, which may be sent again."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The end of a stream that has no other end."""

    cause: Lost
    detail: str
    has_begun: bool
    """Whether a byte of a response had come."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is the server's own, with the reason it is counted under."""

    reason: str
    status: int
    text: str = ""
    closes: bool = False
    fields: tuple[Field, ...] = ()


# -- serving --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection."""

    address: str
    scheme: bytes = b"http"


class Handler(Protocol):
    """What an application makes of one request.

    No call follows ``on_reset``, nor the end of the response.
    """

    def on_body(self, data: bytes) -> None:
        """A piece of the request's body."""

    def on_end(self, trailers: Trailers) -> None:
        """The request is whole. Not called where ``stream.is_whole`` was true from the start."""

    def on_reset(self, refusal: Refusal | None) -> None:
        """The client is gone, or its bytes are no request (``refusal``, which it is told)."""

    def on_window(self, is_open: bool) -> None:
        """Whether the client takes more of the response now."""

    def on_deadline(self, now: float) -> None:
        """A deadline of ``watch`` may have passed."""


class ServerStream(Protocol):
    """One request of a client, as the application answers it."""

    is_whole: bool
    """Whether all of the request has come: from the start with its head, ``head.body`` included."""
    takes_chunks: bool
    """Whether the response may be given in chunks."""

    @property
    def protocol(self) -> str:
        """What the client speaks, as a request line has it: ``HTTP/1.1``."""

    @property
    def head(self) -> RequestHead:
        """The request."""

    def send_informational(self, head: ResponseHead) -> None:
        """Send a response with a status from 100 to 199 (not 101); others follow."""

    def send_head(self, head: ResponseHead, end: bool) -> None:
        """Send the response's head with the first piece of its body; ``end`` says that is all."""

    def send_body(self, data: bytes) -> None:
        """Send a piece of the response's body."""

    def send_end(self, trailers: Trailers = ()) -> None:
        """End the response."""

    def reset(self) -> None:
        """Cut the response off, so that nobody takes its part for the whole."""

    def pause(self) -> None:
        """Deliver no more of the request for now."""

    def resume(self) -> None:
        """Go on with the request."""

    def watch(self, deadline: float) -> None:
        """Have ``on_deadline`` called when this moment passes, perhaps earlier, a tick late."""


class Session(Protocol):
    """What an application keeps for one client connection."""

    def request(self, stream: ServerStream) -> Handler:
        """A request's head has come. It may be answered before this returns."""


NewSession = Callable[[Peer], Session]


# -- asking ---------------------------------------------------------------------------------------


class ClientHandler(Protocol):
    """Who asked. No call follows ``on_lost``, ``on_response_end``, or a response with ``end``.

    The names differ from those of ``Handler``, so that a proxy can be both.
    """

    def on_informational(self, head: ResponseHead) -> None:
        """A response with a status from 100 to 199 that is not the last one."""

    def on_response(self, head: ResponseHead, end: bool) -> None:
        """The response's head has come, with the first piece of its body."""

    def on_response_body(self, data: bytes) -> None:
        """Another piece of the response's body."""

    def on_response_end(self, trailers: Trailers) -> None:
        """The response is whole."""

    def on_lost(self, reset: Reset) -> None:
        """There will be no whole response."""

    def on_request_window(self, is_open: bool) -> None:
        """Whether the peer takes more of the request now."""


class ClientStream(Protocol):
    """One request to a peer."""

    def send_body(self, data: bytes) -> None:
        """Send a piece of the request's body."""

    def send_end(self, trailers: Trailers = ()) -> None:
        """End the request."""

    def reset(self) -> None:
        """Give the request up; the handler hears no more."""

    def abandon(self, handler: ClientHandler) -> None:
        """Say that nothing more comes, and let another handler hear how it ends."""

    def pause(self) -> None:
        """Deliver no more of the response for now."""

    def resume(self) -> None:
        """Go on with the response."""


class Connection(Protocol):
    """A connection to a peer that can carry requests."""

    def open(
        self, handler: ClientHandler, head: RequestHead, body: bytes, end: bool, takes_chunks: bool
    ) -> ClientStream:
        """Send a request's head with what there is of its body; ``end`` says that is all."""

    def is_usable(self, now: float) -> bool:
        """Whether another request may be sent here. Looks at the socket only where in doubt."""

    def idle_since(self) -> float:
        """When it carried its last request."""

    def close(self) -> None:
        """End it once everything written has left."""

"""Whether a process is alive and ready, for kubelets and load balancers to ask.

``/healthz`` is answered by the event loop that does the work: an answer is the proof. ``/readyz``
says whether to send anything here; the body says why not.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol, cast

STARTING, READY, DRAINING = "starting", "ready", "draining"

_MAX_HEAD_BYTES = 8 * 1024


@dataclass(slots=True)
class Health:
    """The state of one process: starting, then ready, at the end draining."""

    state: str = STARTING

    def started(self) -> None:
        """It serves; what is being drained does not come back by that."""
        if self.state == STARTING:
            self.state = READY

    def answer(self, target: str) -> tuple[int, str]:
        """Return status and body for a path."""
        if target == "/healthz":
            return 200, "ok"
        if target == "/readyz":
            return (200 if self.state == READY else 503), self.state
        return 404, "/healthz and /readyz are what there is"


class Answers(Protocol):
    """Who answers by path."""

    def answer(self, target: str) -> tuple[int, str]:
        """Return status and body for a path; a body in braces is JSON."""
        ...


async def serve_health(health: Answers, host: str, port: int) -> asyncio.Server:
    """Listen on the running loop; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Peer(health), host, port)


class _Peer(asyncio.Protocol):
    """One connection: one question, one answer."""

    def __init__(self, health: Answers) -> None:
        self._health = health
        self._head = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._head += data
        if len(self._head) > _MAX_HEAD_BYTES:
            self._transport.abort()
        elif b"\r\n\r\n" in self._head:
            self._transport.write(respond(self._health, self._head))
            self._transport.close()


def respond(health: Answers, head: bytes) -> bytes:
    """Return the answer to a request's head; the connection ends with it."""
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    target = rest.partition(" ")[0].partition("?")[0]
    status, body = health.answer(target) if method in ("GET", "HEAD") else (405, "GET")
    lines = (
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Content-Type: {'application/json' if body[:1] == '{' else 'text/plain; charset=utf-8'}",
        f"Content-Length: {len(body.encode())}",
        "Connection: close",
        *(("Allow: GET, HEAD",) if status == 405 else ()),
    )
    content = "" if method == "HEAD" else body
    return ("\r\n".join(lines) + "\r\n\r\n" + content).encode()


_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}

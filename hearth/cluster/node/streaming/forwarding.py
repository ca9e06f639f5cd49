"""Forwards connections of clients to ports of a pod."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hearth.cluster.node.streaming.asks import WEBSOCKET, Ask
from hearth.cluster.node.streaming.commands import CREATION_SECONDS
from hearth.cluster.node.streaming.connections import ChannelConnection, SpdyConnection, SpdyLine
from hearth.cluster.node.streaming.wires import Connection, Line, Wire

Dial = Callable[[str, int], Awaitable[socket.socket]]
"""``Runtime.dial``: by the pod's uid and the port."""

MOST_STREAMS = 2000
"""Of one client at once; two for each connection."""
_CHUNK = 64 * 1024
_LAST_SECONDS = 0.5
"""In which a client may still say something to a pod that says no more (as containerd has it)."""
log = logging.getLogger(__name__)


async def forward(ask: Ask, port: int, dial: Dial, data: Line) -> str:
    """Carries one connection to its end, both ways; why it could not be made, or nothing."""
    try:
        connection = await dial(ask.uid, port)
    except OSError as error:
        return (
            f"error forwarding port {port} to pod {ask.pod}, uid {ask.uid}: failed to connect to "
            f"localhost:{port} inside of the pod: {_reason(error)}"
        )
    with connection:
        inward = asyncio.create_task(_inward(data, connection), name="forward-in")
        try:
            await _outward(data, connection)
            await data.end()
            await asyncio.wait({inward}, timeout=_LAST_SECONDS)
        except ConnectionResetError:
            pass  # by the pod
        finally:
            inward.cancel()
            await asyncio.gather(inward, return_exceptions=True)
    return ""


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error) or "timed out"


async def _inward(data: Line, connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    try:
        while piece := await data.read():
            await loop.sock_sendall(connection, piece)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the pod does not listen any more; what it says is still carried


async def _outward(data: Line, connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while piece := await loop.sock_recv(connection, _CHUNK):
        await data.send(piece)


# -- by SPDY: a pair of streams for each connection ---------------------------------------------


@dataclass(slots=True)
class _Pair:
    """The two streams of one forwarded connection."""

    made_at: float
    data: SpdyLine | None = None
    error: SpdyLine | None = None


class SpdyForwarding:
    """Any number of connections, as the client opens them."""

    def __init__(self, ask: Ask, wire: Wire, dial: Dial) -> None:
        self._ask = ask
        self._dial = dial
        self._pairs: dict[str, _Pair] = {}
        self._ready: asyncio.Queue[_Pair] = asyncio.Queue()
        self._spdy = SpdyConnection(wire, self._accept, most_streams=MOST_STREAMS)
        self.connection: Connection = self._spdy

    def _accept(self, line: SpdyLine) -> bool:
        kind, port = line.fields.get("streamtype"), line.fields.get("port", "")
        if kind not in ("data", "error") or not _is_port(port):
            return False
        name = line.fields.get("requestid") or str(line.number - (2 if kind == "data" else 0))
        pair = self._pairs.setdefault(name, _Pair(asyncio.get_running_loop().time()))
        if getattr(pair, kind) is not None:
            return False
        setattr(pair, kind, line)
        if pair.data is not None and pair.error is not None:
            del self._pairs[name]
            self._ready.put_nowait(pair)
        return True

    async def work(self) -> None:
        """Carries them until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._end_halves(), name="forward-halves")
            while True:
                pair = await self._ready.get()
                group.create_task(self._carry(pair), name="forward")

    async def _carry(self, pair: _Pair) -> None:
        data, error = pair.data, pair.error
        assert data is not None and error is not None
        port = int(data.fields["port"])
        carrying = asyncio.create_task(forward(self._ask, port, self._dial, data))
        dropped = asyncio.create_task(data.dropped())
        try:
            await asyncio.wait({carrying, dropped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (carrying, dropped):
                task.cancel()
            result, _ = await asyncio.gather(carrying, dropped, return_exceptions=True)
        if isinstance(result, Exception) and not isinstance(result, ConnectionError):
            log.error("port not forwarded", extra={"pod": self._ask.pod}, exc_info=result)
        if isinstance(result, Exception | str) and result:
            await error.send(str(result).encode())
            await data.reset()
        await error.end()
        await data.end()
        self._spdy.forget(data, error)

    async def _end_halves(self) -> None:
        """A stream whose other one does not come is given up."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(CREATION_SECONDS / 2)
            for name, pair in list(self._pairs.items()):
                if loop.time() - pair.made_at >= CREATION_SECONDS:
                    del self._pairs[name]
                    for line in filter(None, (pair.data, pair.error)):
                        await line.reset()


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536


# -- by the channels of a WebSocket: one connection for each port -------------------------------


class ChannelForwarding:
    """One connection to each port that the request names."""

    def __init__(self, ask: Ask, wire: Wire, dial: Dial) -> None:
        self._ask = ask
        self._dial = dial
        numbers = range(0, 2 * len(ask.ports), 2)
        channels = ChannelConnection(wire, ask.protocol, readable=numbers)
        self._lines = [(channels.line(number), channels.line(number + 1)) for number in numbers]
        self.connection: Connection = channels

    async def work(self) -> None:
        """Carries them all to their end."""
        async with asyncio.TaskGroup() as group:
            for port, (data, error) in zip(self._ask.ports, self._lines, strict=True):
                told = struct.pack("<H", port)
                await data.send(told)
                await error.send(told)
                group.create_task(self._carry(port, data, error), name="forward")

    async def _carry(self, port: int, data: Line, error: Line) -> None:
        problem = await forward(self._ask, port, self._dial, data)
        if problem:
            await error.send(problem.encode())


def make_forwarding(ask: Ask, wire: Wire, dial: Dial) -> SpdyForwarding | ChannelForwarding:
    """By the transport that the client has chosen."""
    kind = ChannelForwarding if ask.transport == WEBSOCKET else SpdyForwarding
    return kind(ask, wire, dial)

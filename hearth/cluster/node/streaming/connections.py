"""The streams of a client by SPDY, and by the channels of a WebSocket."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from hearth.cluster.node.streaming import websocket
from hearth.cluster.node.streaming.channels import Channels
from hearth.cluster.node.streaming.spdy import (
    Answer,
    Data,
    Ended,
    Opened,
    Reset,
    Spdy,
    SpdyError,
)
from hearth.cluster.node.streaming.spdy import Event as SpdyEvent
from hearth.cluster.node.streaming.websocket import Piece, WebSocket, WebSocketError
from hearth.cluster.node.streaming.wires import Line, Wire

log = logging.getLogger(__name__)

Accept = Callable[["SpdyLine"], bool]
"""Told of each new stream; False refuses it."""


class SpdyLine(Line):
    """A stream that a client has opened; ``fields`` in lower case."""

    def __init__(self, connection: SpdyConnection, number: int, fields: Mapping[str, str]) -> None:
        super().__init__(lambda data, is_last: connection.send(number, data, is_last=is_last))
        self.number = number
        self.fields = fields
        self._connection = connection

    async def reset(self) -> None:
        """Ends both directions at once."""
        self.drop()
        await self._connection.reset(self.number)


class SpdyConnection:
    """Streams as a client opens them."""

    def __init__(self, wire: Wire, accept: Accept, *, most_streams: int) -> None:
        self._wire = wire
        self._accept = accept
        self._spdy = Spdy(most_streams)
        self._lines: dict[int, SpdyLine] = {}

    async def receive(self) -> None:
        """Takes what comes until the client goes."""
        try:
            while data := await self._wire.read():
                for event in self._spdy.receive(data):
                    if isinstance(event, Ended):
                        return
                    await self._take(event)
        except (SpdyError, WebSocketError) as error:
            log.debug("client closed", extra={"problem": str(error)})
            await self._wire.send(self._spdy.go_away())

    async def _take(self, event: SpdyEvent) -> None:
        match event:
            case Opened(number, fields):
                line = SpdyLine(self, number, fields)
                if self._accept(line):
                    self._lines[number] = line
                    await self._wire.send(self._spdy.reply(number))
                else:
                    await self._wire.send(self._spdy.reset(number))
            case Data(number, data, is_last):
                if number in self._lines:
                    await self._lines[number].put(data, is_last=is_last)
            case Answer(data):
                await self._wire.send(data)
            case Reset(number):
                self._forget(number)

    def _forget(self, number: int) -> None:
        line = self._lines.pop(number, None)
        if line is not None:
            line.drop()

    async def send(self, number: int, data: bytes, *, is_last: bool) -> None:
        """Sends on a stream; nothing when the client has given it up."""
        await self._wire.send(self._spdy.data(number, data, is_last=is_last))

    async def reset(self, number: int) -> None:
        """Ends both directions of a stream."""
        self._forget(number)
        await self._wire.send(self._spdy.reset(number))

    def forget(self, *lines: SpdyLine) -> None:
        """These are over: what still comes for them is dropped."""
        for line in lines:
            self._forget(line.number)

    async def ping(self) -> None:
        """Asks whether the client is there."""
        await self._wire.send(self._spdy.ping(), is_ping=True)

    async def finish(self) -> None:
        """Ends all streams."""
        for line in list(self._lines.values()):
            line.drop()
            await line.end()
        await self._wire.send(self._spdy.go_away())
        await self._wire.end()


class ChannelConnection:
    """Streams by their numbers, all there from the start."""

    def __init__(self, wire: Wire, protocol: str, *, readable: Sequence[int]) -> None:
        self._wire = wire
        self._websocket = WebSocket()
        self._channels = Channels(protocol)
        self._lines: dict[int, Line] = {}
        self._readable = frozenset(readable)

    def line(self, channel: int) -> Line:
        """One of them."""

        async def send(data: bytes, is_last: bool) -> None:
            if data or not is_last:  # a server's end of a channel is that of the connection
                await self._wire.send(self._channels.pack(channel, data))

        line = Line(send)
        if channel in self._readable:
            self._lines[channel] = line
        return line

    async def receive(self) -> None:
        """Takes what comes until the client goes; channels of which nobody reads are ignored."""
        try:
            while data := await self._wire.read():
                for event in self._websocket.receive(data):
                    if isinstance(event, websocket.Closed):
                        await self._wire.send(websocket.close())
                        return
                    if isinstance(event, websocket.Answer):
                        await self._wire.send(event.data)
                    else:
                        await self._take(event)
        except WebSocketError as error:
            log.debug("client closed", extra={"problem": str(error)})
            await self._wire.send(websocket.close(websocket.PROTOCOL_ERROR))

    async def _take(self, piece: Piece) -> None:
        for incoming in self._channels.receive(piece):
            if incoming.channel in self._lines:
                await self._lines[incoming.channel].put(incoming.data, is_last=incoming.is_last)

    async def ping(self) -> None:
        """Asks whether the client is there."""
        await self._wire.send(websocket.ping(), is_ping=True)

    async def finish(self) -> None:
        """Ends the connection as WebSockets do."""
        for line in self._lines.values():
            line.drop()
        await self._wire.send(websocket.close())

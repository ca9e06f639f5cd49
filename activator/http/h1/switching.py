"""A connection that goes on in another protocol: HTTP/2, or whatever a tunnel carries."""

from __future__ import annotations

import asyncio

from activator.http.events import RequestHead, ResponseHead
from activator.http.h1.endings import CLOSED, EndingConnection, Mode
from activator.http.h1.requests import RequestReader
from activator.http.h1.streams import Pause, Stream

_SWITCH_TO_H2C = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n"


class SwitchingConnection(EndingConnection):
    """The part of a connection that is about leaving HTTP/1.1."""

    __slots__ = ()

    # -- HTTP/2 -------------------------------------------------------------------------------

    def _is_fresh(self) -> bool:
        """Whether this is the first thing that the client says."""
        return self._active is None and not self._waiting and self._idle_since == self._came_at

    def _become_http2(self, data: bytes) -> None:
        """The client speaks HTTP/2 from the start."""
        # Imported here: who is never asked for it does without.
        from activator.http.h2.server import ServerConnection as Http2Connection

        connection = Http2Connection(self._context, self._session, self.transport)
        connection.begin()
        self._hand_over(connection)
        if data:
            connection.data_received(data)

    def _upgrade(self, head: RequestHead, settings: bytes) -> bool:
        """Take an offer to go on in HTTP/2, whose first stream is this request."""
        from activator.http.h2.server import ServerConnection as Http2Connection

        connection = Http2Connection(self._context, self._session, self.transport)
        if not connection.accepts(settings):
            return False
        self.transport.write(_SWITCH_TO_H2C)
        connection.begin()
        self._hand_over(connection)
        connection.adopt(head)
        return True

    def _hand_over(self, connection: asyncio.Protocol) -> None:
        self._mode = CLOSED
        self._context.connections.discard(self)
        self.transport.set_protocol(connection)

    def _look_at_held(self, reader: RequestReader) -> None:
        """Bytes behind an offer to upgrade."""
        protocol = self.transport.get_protocol()
        if protocol is not self and isinstance(protocol, asyncio.Protocol):
            held = reader.take_held()
            if held:
                protocol.data_received(held)
        elif reader.held is not None and len(reader.held) > self._context.limits.held_octets:
            self.pause(Pause.UPGRADE)

    # -- tunnels ------------------------------------------------------------------------------

    def become_tunnel(self, stream: Stream, head: ResponseHead) -> None:
        """The application has agreed to the upgrade."""
        self._mode = Mode.TUNNEL
        self.write(head.wire)
        stream.closes = True
        stream.is_whole = False
        held = self._reader.take_held()
        self.resume(Pause.UPGRADE)
        if held and stream.handler is not None:
            stream.handler.on_body(held)

    def _end_of_tunnel(self, stream: Stream) -> bool:
        """The client's direction is over; whether the other one goes on."""
        stream.is_whole = True
        if stream.handler is not None:
            stream.handler.on_end(())
        stream.is_over = stream.is_over or stream.has_ended
        return self._mode is Mode.TUNNEL and not stream.is_over

    def end_tunnel(self, stream: Stream) -> None:
        """The application's direction is over."""
        if stream.is_whole:
            stream.is_over = True
            self._close()
        elif self._mode is Mode.TUNNEL:
            self.transport.write_eof()

"""What one turn of the loop says on a connection, as one write.

Many streams have something to say in a turn, and a write to a socket costs as much as all the rest
of a small request.
"""

from __future__ import annotations

import asyncio

from activator.http.h2.framing import Octets

# More is written at once, so that a transport that is full is noticed.
_MOST_OCTETS = 256 * 1024
# From here on pieces are written as they are: joining them would copy a body.
_JOINED_OCTETS = 16 * 1024


class Outbox:
    """Octets for a transport, until the turn is over."""

    __slots__ = ("_call_soon", "_octets", "_pieces", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._call_soon = asyncio.get_running_loop().call_soon
        self._pieces: list[Octets] = []
        self._octets = 0

    def write(self, data: Octets) -> None:
        """Octets to be sent."""
        pieces = self._pieces
        if not pieces:
            self._call_soon(self.flush)
        pieces.append(data)
        self._octets += len(data)
        if self._octets > _MOST_OCTETS:
            self.flush()

    def flush(self) -> None:
        """Send what there is; before the transport is closed."""
        pieces = self._pieces
        if not pieces:
            return
        octets, self._octets = self._octets, 0
        self._pieces = []
        if self._transport.is_closing():
            return
        if len(pieces) == 1:
            self._transport.write(pieces[0])
        elif octets < _JOINED_OCTETS:
            self._transport.write(b"".join(pieces))
        else:
            self._transport.writelines(pieces)

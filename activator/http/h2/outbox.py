"""What one turn of the loop says on a connection, as one write.

Many streams have something to say in a turn, and a write to a socket costs as much as all the rest
of a small request.
"""

from __future__ import annotations

import asyncio

# More is written at once, so that a transport that is full is noticed.
_MOST_OCTETS = 64 * 1024


class Outbox:
    """Octets for a transport, until the turn is over."""

    __slots__ = ("_call_soon", "_octets", "_pieces", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._call_soon = asyncio.get_running_loop().call_soon
        self._pieces: list[bytes] = []
        self._octets = 0

    def write(self, data: bytes) -> None:
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
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._octets = 0
        if not self._transport.is_closing():
            self._transport.write(data)

"""Channels in the messages of a WebSocket, ``channel.k8s.io`` and its later versions. Pure.

The first octet of a message is the number of its channel, or that number's digit where the rest is
base64. In version 5 the message ``255 N`` ends what the client sends on channel N.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field

from hearth.cluster.node.streaming import websocket
from hearth.cluster.node.streaming.websocket import Piece, WebSocketError

_CLOSE = 255
_LONGEST_BASE64 = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Incoming:
    """Octets for a channel; ``is_last``: there will be no more."""

    channel: int
    data: bytes
    is_last: bool = False


@dataclass(slots=True)
class Channels:
    """Both directions of one connection, by the name of its protocol."""

    protocol: str
    _channel: int = 0
    _kept: bytearray = field(default_factory=bytearray)

    @property
    def is_base64(self) -> bool:
        """Whether messages are text."""
        return "base64." in self.protocol

    def receive(self, piece: Piece) -> Iterator[Incoming]:
        """What a piece of a message brings; WebSocketError for what no client may send."""
        if self.is_base64:
            yield from self._decoded(piece)
            return
        data = piece.data
        if piece.is_first:
            self._channel = -1
        if self._channel < 0 and data:
            self._channel, data = data[0], data[1:]
        if self._channel == _CLOSE and self.protocol.startswith("v5."):
            yield from self._closing(data, piece)
        elif data and self._channel >= 0:
            yield Incoming(self._channel, data)

    def _closing(self, data: bytes, piece: Piece) -> Iterator[Incoming]:
        self._kept += data
        if len(self._kept) > 1 or (piece.is_last and not self._kept):
            raise WebSocketError("one channel follows the signal to close")
        if piece.is_last:
            yield Incoming(self._kept[0], b"", is_last=True)
            self._kept.clear()

    def _decoded(self, piece: Piece) -> Iterator[Incoming]:
        self._kept += piece.data
        if len(self._kept) > _LONGEST_BASE64:
            raise WebSocketError("a message in base64 is too long")
        if not piece.is_last or not self._kept:
            return
        channel, text = self._kept[0] - ord("0"), bytes(self._kept[1:])
        self._kept.clear()
        try:
            yield Incoming(channel, base64.b64decode(text, validate=True))
        except binascii.Error as error:
            raise WebSocketError(f"base64: {error}") from None

    def pack(self, channel: int, data: bytes) -> bytes:
        """A whole message for the client."""
        if self.is_base64:
            return websocket.text(b"%d" % channel + base64.b64encode(data))
        return websocket.frame(bytes((channel,)) + data)

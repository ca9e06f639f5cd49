"""The gRPC health check (grpc.health.v1.Health/Check) as bytes: just enough HTTP/2. Sans I/O.

A probe sends one request and looks for one answer, so headers are written as literals without
Huffman coding and the answer's headers are never decoded: only its DATA frame matters.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_ACK, _END_STREAM, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_SERVING = 1
_MAX_FRAME = 1 << 20
_STATUS_NAMES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes((kind, flags))
        + struct.pack(">I", stream)
        + payload
    )


def _literal(name: str, value: str) -> bytes:
    """A header field without indexing, name and value in plain text (both below 127 bytes)."""
    return b"\x00" + _text(name) + _text(value)


def _text(value: str) -> bytes:
    raw = value.encode()
    if len(raw) < 127:
        return bytes((len(raw),)) + raw
    rest, prefix = len(raw) - 127, bytearray((127,))
    while rest >= 128:
        prefix.append(rest % 128 + 128)
        rest //= 128
    prefix.append(rest)
    return bytes(prefix) + raw


def make_request(authority: str, service: str) -> bytes:
    """All bytes a client sends for one check."""
    headers = b"".join(
        _literal(name, value)
        for name, value in (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/grpc.health.v1.Health/Check"),
            (":authority", authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "kube-probe/hearth"),
        )
    )
    name = service.encode()
    message = b"\x0a" + bytes((len(name),)) + name if name else b""
    body = b"\x00" + struct.pack(">I", len(message)) + message
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, 1, headers)
        + _frame(_DATA, _END_STREAM, 1, body)
    )


@dataclass(slots=True)
class HealthReader:
    """Feed it what the server sends; ``outcome`` is set once the answer is known."""

    outcome: tuple[bool, str] | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _body: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> bytes:
        """Takes bytes in; returns what must be sent back (acknowledgements)."""
        self._buffer += data
        replies = b""
        while self.outcome is None and len(self._buffer) >= 9:
            size = int.from_bytes(self._buffer[:3], "big")
            if size > _MAX_FRAME:
                self.outcome = False, "the answer is not HTTP/2"
                break
            if len(self._buffer) < 9 + size:
                break
            kind, flags = self._buffer[3], self._buffer[4]
            payload = bytes(self._buffer[9 : 9 + size])
            del self._buffer[: 9 + size]
            replies += self._on_frame(kind, flags, payload)
        return replies

    def _on_frame(self, kind: int, flags: int, payload: bytes) -> bytes:
        if kind == _SETTINGS and not flags & _ACK:
            return _frame(_SETTINGS, _ACK, 0, b"")
        if kind == _PING and not flags & _ACK:
            return _frame(_PING, _ACK, 0, payload)
        if kind == _DATA:
            self._on_data(flags, payload)
        elif kind in (_RST_STREAM, _GOAWAY) or (kind == _HEADERS and flags & _END_STREAM):
            self.outcome = False, "the server does not implement the grpc health protocol"
        return b""

    def _on_data(self, flags: int, payload: bytes) -> None:
        if flags & _PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        self._body += payload
        if len(self._body) < 5:
            return
        size = struct.unpack(">I", self._body[1:5])[0]
        if len(self._body) < 5 + size:
            return
        message = bytes(self._body[5 : 5 + size])
        status = message[1] if len(message) >= 2 and message[0] == 0x08 else 0
        name = _STATUS_NAMES.get(status, str(status))
        self.outcome = status == _SERVING, f'service unhealthy (responded with "{name}")'

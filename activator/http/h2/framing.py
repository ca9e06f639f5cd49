"""Frames as octets (RFC 9113, section 4.1 and 6), to be sent. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from activator.http.h2.codes import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)

Octets = bytes | memoryview
"""What is written: a view of a body, where that is not to be copied."""

# Length and type in one number, flags, stream.
frame_head = struct.Struct(">IBI").pack
_TWO = struct.Struct(">II").pack
_ONE = struct.Struct(">I").pack
_SETTING = struct.Struct(">HI").pack


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Any frame."""
    return frame_head(len(payload) << 8 | kind, flags, stream) + payload


def headers(stream: int, block: bytes, flags: int, most: int) -> bytes:
    """A field block, in as many frames as the peer's largest one asks for."""
    if len(block) <= most:
        return frame_head(len(block) << 8 | HEADERS, flags | END_HEADERS, stream) + block
    frames = [frame(HEADERS, flags, stream, block[:most])]
    for at in range(most, len(block), most):
        is_last = at + most >= len(block)
        flag = END_HEADERS if is_last else 0
        frames.append(frame(CONTINUATION, flag, stream, block[at : at + most]))
    return b"".join(frames)


def settings(values: Iterable[tuple[int, int]]) -> bytes:
    """Our settings."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING(*pair) for pair in values))


SETTINGS_ACK = frame(SETTINGS, ACK, 0, b"")


def ping(payload: bytes) -> bytes:
    """A question of 8 octets that the peer has to answer."""
    return frame(PING, 0, 0, payload)


def ping_ack(payload: bytes) -> bytes:
    """The answer to a PING."""
    return frame(PING, ACK, 0, payload)


def window_update(stream: int, octets: int) -> bytes:
    """More octets may be sent on a stream; on 0: on all together."""
    return frame_head(4 << 8 | WINDOW_UPDATE, 0, stream) + _ONE(octets)


def rst_stream(stream: int, code: int) -> bytes:
    """The end of a stream."""
    return frame_head(4 << 8 | RST_STREAM, 0, stream) + _ONE(code)


def goaway(last: int, code: int, text: str = "") -> bytes:
    """The end of the connection: streams above ``last`` were not looked at."""
    return frame(GOAWAY, 0, 0, _TWO(last, code) + text.encode())

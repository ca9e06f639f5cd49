"""Bounds of one connection. Apart, for settings name them before anybody speaks HTTP/2."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What one connection may ask of us."""

    # Go's default; Envoy recommends 100 at an edge, nginx has 128.
    streams: int = 250
    # Of each stream: what is held for an application that does not read. Of all together: what may
    # come before it is looked at.
    stream_window: int = 128 * 1024
    connection_window: int = 1024 * 1024
    # Of all streams together that have paused: beyond it the connection's window is given back only
    # as they go on. And of what waits to be sent: beyond it no stream is taken.
    held_octets: int = 4 * 1024 * 1024
    queued_octets: int = 8 * 1024 * 1024
    # Of a field list, counted as section 6.5.2 does, and of the block that it comes in.
    list_octets: int = 64 * 1024
    # CONTINUATION frames of one block.
    continuations: int = 64
    # Frames that bring nothing: pings, settings, priorities, empty ones, updates of windows.
    nuisances: int = 1000
    nuisances_a_second: float = 100.0
    # Streams that end before their time by the peer's doing (nghttp2 has the same numbers).
    resets: int = 1000
    resets_a_second: float = 33.0
    # Answers to such frames that wait for a peer who does not read (Go's default).
    unread_answers: int = 10_000


DEFAULT_LIMITS = EngineLimits()

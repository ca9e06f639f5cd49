"""Connections to the ports of pods, for runtimes to share."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from hearth.timeouts import time_limit

_SECONDS = 10.0


async def connect_to(host: str, port: int) -> socket.socket:
    """A connection that does not block; OSError where nobody listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with time_limit(_SECONDS):
            await asyncio.get_running_loop().sock_connect(made, (host, port))
    except BaseException:
        made.close()
        raise
    return made


async def connect_locally(port: int) -> socket.socket:
    """A connection on IPv4, else on IPv6, as kubelet makes it; the error is that of IPv4."""
    try:
        return await connect_to("127.0.0.1", port)
    except OSError:
        with contextlib.suppress(OSError):
            return await connect_to("::1", port)
        raise

"""Waiting for what comes by itself: for a condition, never for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_SECONDS = 60.0
"""More than anything takes on a machine that is busy with other tests."""


async def until(condition: Callable[[], object]) -> None:
    """Return once a condition holds."""
    async with asyncio.timeout(_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)


async def is_ready(port: int) -> bool:
    """Whether the process whose health is served on a port says that it is ready."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n")
    head = await reader.readline()
    writer.close()
    return head.startswith(b"HTTP/1.1 200 ")

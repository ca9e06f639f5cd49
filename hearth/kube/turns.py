"""Writes that must not overtake each other on their way to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class Turns:
    """Lets those who name the same thing in one after the other, in the order they asked."""

    def __init__(self) -> None:
        self._last: dict[Hashable, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def of(self, what: Hashable) -> AsyncIterator[None]:
        """Enter once everybody who asked before has left."""
        before, own = self._last.get(what), asyncio.get_running_loop().create_future()
        self._last[what] = own
        try:
            if before is not None:
                await before
            yield
        finally:
            own.set_result(None)
            if self._last[what] is own:
                del self._last[what]

"""Work that outlives who began it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Aside:
    """Tasks that are waited for at the end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Has something done."""
        task = asyncio.create_task(work, name="containers-aside")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settle(self) -> None:
        """Waits for all of it, and for what that has had done."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

"""The coffee shop's board as a browser sees it: followed by its server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from hearth.cli.demo.stage import Failed, Stage
from hearth.timeouts import time_limit

PAGE = "coffeeshop"
"""The host of the page, below localhost."""
_PAUSE_SECONDS = 0.1


@dataclass(slots=True)
class Board:
    """What the page was told: orders by id, and counts."""

    orders: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, name: str, data: Mapping[str, Any]) -> None:
        """Takes one server-sent event: ``state`` with all that is shown, or ``order`` with one."""
        for order in data["orders"] if name == "state" else (data["order"],):
            self.orders[order["id"]] = order
        self.counts = data["counts"]
        self._changed.set()

    def made(self, ids: Collection[str]) -> list[Mapping[str, Any]]:
        """Which of these orders are made."""
        known = (self.orders.get(each, {}) for each in ids)
        return [order for order in known if "made" in order]

    async def until(self, condition: Callable[[], bool], what: str, *, seconds: float = 30) -> None:
        """Waits for a condition on what the page was told, or Failed."""
        try:
            async with time_limit(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            told = ", ".join(f"{name} {count}" for name, count in self.counts.items())
            raise Failed(f"{what}: not within {seconds:.0f} s; the board: {told}") from None

    async def until_made(self, ids: Collection[str], count: int) -> None:
        """Waits until so many of these orders are made, or Failed."""
        await self.until(lambda: len(self.made(ids)) >= count, f"{count} coffees")


@contextlib.asynccontextmanager
async def watched(stage: Stage) -> AsyncIterator[Board]:
    """The board, followed as a browser does: cut off, it connects again."""
    board = Board()

    async def follow() -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async for name, data in stage.told(PAGE, "/events"):
                    board.take(name, data)
            await asyncio.sleep(_PAUSE_SECONDS)

    following = asyncio.create_task(follow(), name="demo-board")
    try:
        yield board
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

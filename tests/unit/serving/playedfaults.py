"""What goes wrong between a control plane and its API."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from hearth.kube.client import WatchEvent
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.resources import Resource
from tests.memoryapi import UNCOUNTED, MemoryApi, fault
from tests.memoryclient import MemoryClient

HEARD, LATE, NEVER = "heard", "late", "never"
"""What becomes of a write whose writer dies: stored, stored when others have begun, lost."""
Life = tuple[int, str]
"""With which write a control plane dies, and what becomes of that one."""


@dataclass(slots=True)
class Faults:
    """Shares are probabilities; without any nothing goes wrong."""

    seed: int = 0
    late: float = 0.0
    """Seconds by which a watch lags at most; each event of each watch by its own."""
    repeats: float = 0.0
    relists: float = 0.0
    refused: float = 0.0
    """Writes that the server does not take."""
    unheard: float = 0.0
    """Writes that it takes, and whose answer is lost."""
    lives: tuple[Life, ...] = ()
    """Of control planes that die."""
    planes: int = 1
    """Control planes at work at once, each with all these lives; each leads some buckets."""
    are_over: bool = False
    chance: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def strikes(self, share: float) -> bool:
        return share > 0 and not self.are_over and self.chance.random() < share

    def seconds(self, most: float) -> float:
        return 0.0 if self.are_over else self.chance.random() * most


class FrailClient(MemoryClient):
    """Of a control plane that may die: what it writes with its last breath is heard, or not."""

    def __init__(self, api: MemoryApi, user: str, faults: Faults, life: Life) -> None:
        super().__init__(api, user)
        self.faults = faults
        self.left, self.last = life
        self.died = asyncio.Event()

    async def write(self, work: Callable[[], Object], resource: Resource) -> Object:
        await asyncio.sleep(0.002 + self.faults.seconds(0.05))
        self.left -= resource not in UNCOUNTED
        if self.left <= 0:
            self._die(work)
            await asyncio.Future()
        if self.faults.strikes(self.faults.refused):
            raise fault(*self.faults.chance.choice([(409, "Conflict"), (503, "Unavailable")]))
        done = await super().write(work, resource)
        if self.faults.strikes(self.faults.unheard):
            raise fault(0, "", "the connection broke")
        return done

    def _die(self, work: Callable[[], Object]) -> None:
        if self.last != NEVER and not self.died.is_set():
            delay = self.faults.seconds(8.0) if self.last == LATE else 0.0
            asyncio.get_running_loop().call_later(delay, _try, work)
        self.died.set()

    async def watch(
        self, resource: Resource, *args: Any, **options: Any
    ) -> AsyncIterator[WatchEvent]:
        async for event in super().watch(resource, *args, **options):
            await asyncio.sleep(self.faults.seconds(self.faults.late))
            yield event
            if self.faults.strikes(self.faults.repeats):
                yield event
            if self.faults.strikes(self.faults.relists):
                raise fault(410, "Expired")


def _try(work: Callable[[], Object]) -> None:
    with contextlib.suppress(ApiError):
        work()

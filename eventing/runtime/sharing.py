"""The event loop shared by all subscriptions that are behind: each gets bounded pieces in turn.

A subscription at the tail of its log delivers as events come. One that reads its log has work
without end, and many of those would keep the loop from everybody else: from producers, from
events that are only just coming. So whoever is behind asks here before it delivers, and in one
turn of the loop a piece of it all is done, by ``fairness``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

from eventing.runtime.fairness import Rounds

EVENT_COST = 4096
"""What a delivery costs beside its bytes, in bytes."""
_QUANTUM = 8 * EVENT_COST
_TURN_COST = 32 * EVENT_COST
"""What is delivered in one turn of the loop by all that are behind: about two milliseconds."""
_LOOK_COST = EVENT_COST / 16

Deliver = Callable[[float], float]
"""Deliver about so much; return what it cost, or less than asked for where there is no more."""


class Flow:
    """One subscription that may be behind."""

    __slots__ = ("_share", "deliver", "group", "has_asked", "weight")

    def __init__(self, share: Share, group: Hashable, deliver: Deliver) -> None:
        self._share = share
        self.group = group
        self.deliver = deliver
        self.weight = 1.0
        self.has_asked = False

    def ask(self) -> None:
        """Have ``deliver`` called when it is this one's turn."""
        self._share.ask(self)

    def close(self) -> None:
        """Want nothing any more."""
        self._share.forget(self)


class Share:
    """Of one process."""

    def __init__(self) -> None:
        self._rounds: Rounds[Flow] = Rounds(_QUANTUM)
        self._is_waiting = False
        self._reading = asyncio.Lock()

    def ask(self, flow: Flow) -> None:
        """Have a flow take its turn, in a later turn of the loop."""
        flow.has_asked = True
        self._rounds.enter(flow.group, flow, flow.weight)
        if not self._is_waiting:
            self._is_waiting = True
            asyncio.get_running_loop().call_soon(self._go_round)

    def forget(self, flow: Flow) -> None:
        """Know a flow no more."""
        self._rounds.forget(flow.group, flow)

    def _go_round(self) -> None:
        self._is_waiting = False
        rounds, left = self._rounds, float(_TURN_COST)
        while left > 0 and rounds:
            group, flow, credit = rounds.turn()
            flow.has_asked = False
            cost = flow.deliver(credit)
            rounds.spend(group, flow, cost)
            if cost < credit and not flow.has_asked:
                rounds.leave(group, flow)
            left -= max(cost, _LOOK_COST)
        if rounds and not self._is_waiting:
            self._is_waiting = True
            asyncio.get_running_loop().call_soon(self._go_round)

    @asynccontextmanager
    async def portion(self) -> AsyncIterator[None]:
        """Look at a portion of a log: one of them all in one turn of the loop."""
        async with self._reading:
            yield
            await asyncio.sleep(0)

"""The event loop shared by all subscriptions that are behind: each gets bounded pieces in turn.

A subscription at the tail of its log delivers as events come. One that reads its log has work
without end, and many of those would keep the loop from everybody else: from producers, from
events that are only just coming. So whoever is behind asks here before it delivers, and in one
turn of the loop a piece of it all is done, by ``fairness``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable

from eventing.runtime.fairness import Rounds

EVENT_COST = 4096
"""What a delivery costs beside its bytes, in bytes."""
_QUANTUM = 8 * EVENT_COST
_TURN_COST = 32 * EVENT_COST
"""What is delivered in one turn of the loop by all that are behind: about two milliseconds."""
_LOOK_COST = EVENT_COST / 16
_TURN_LOOKS = 500
"""Events that are looked at in one turn of the loop, whether somebody wants them: a millisecond."""

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
        self._looks_left = _TURN_LOOKS

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

    async def may_look(self, events: int) -> None:
        """Return when so many events of a log may be looked at, all at once.

        All that read look at no more than one large portion in one turn of the loop, or at several
        small ones.
        """
        async with self._reading:
            if self._looks_left <= 0:
                await asyncio.sleep(0)
                self._looks_left = _TURN_LOOKS
            self._looks_left -= events + 1

"""Waiting until a moment has come, and not a little less.

A loop's timers count milliseconds (libuv's do, and so uvloop's): one may fire up to a millisecond
early. Whoever promised a second has to look at a clock then. There is one place that does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TypeVarTuple

_TICK_SECONDS = 0.001
"""No shorter timer is wound: it would come at once, again and again."""

Args = TypeVarTuple("Args")


class Timer:
    """Calls once, from the running loop, when so many seconds have passed on ``clock`` or more."""

    __slots__ = ("_args", "_call", "_clock", "_handle", "_moment")

    def __init__(
        self,
        seconds: float,
        call: Callable[[*Args], object],
        *args: *Args,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._call = call
        self._args = args
        self._clock = clock
        self._moment = clock() + seconds
        self._handle = asyncio.get_running_loop().call_later(max(seconds, 0.0), self._due)

    def _due(self) -> None:
        left = self._moment - self._clock()
        if left > 0:
            pause = max(left, _TICK_SECONDS)
            self._handle = asyncio.get_running_loop().call_later(pause, self._due)
        else:
            self._call(*self._args)

    def cancel(self) -> None:
        """Let it not come; of no effect once it has."""
        self._handle.cancel()


async def pause(seconds: float, *, clock: Callable[[], float] = monotonic) -> None:
    """Return when so many seconds have passed on ``clock`` or more; others run in any case."""
    moment = clock() + seconds
    left = seconds
    while True:
        await asyncio.sleep(max(left, _TICK_SECONDS) if left > 0 else 0)
        left = moment - clock()
        if left <= 0:
            return

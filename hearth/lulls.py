"""What a process does every few seconds to be small, and when it has become quiet.

Who holds what could be smaller is called each time (``on_look``). In a lull the collector looks for
cycles it has not come to, and what is free goes to the system; glibc would keep it for later ones.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

QUIET_SHARE = 0.05
"""Of a processor, over the time since the last look: below it nobody waits for this process."""
WORTH_SECONDS = 1.0
"""Of processor time since the last time: less work leaves little behind."""

_holders: list[Callable[[], None]] = []


class Lull:
    """Whether it is time, asked now and then. Pure."""

    def __init__(self, spent: float) -> None:
        """``spent`` is the processor time of this process so far, in seconds."""
        self._seen = self._tidied = spent

    def has_come(self, spent: float, seconds: float) -> bool:
        """Whether the process has worked and is quiet now; ``seconds`` since the last question."""
        lately, self._seen = spent - self._seen, spent
        if lately > QUIET_SHARE * seconds or spent - self._tidied < WORTH_SECONDS:
            return False
        self._tidied = spent
        return True


def on_look(make_smaller: Callable[[], None]) -> Callable[[], None]:
    """Have this called every few seconds; returns how to end that."""
    _holders.append(make_smaller)
    return lambda: _holders.remove(make_smaller)


def look(lull: Lull, spent: float, seconds: float) -> None:
    """Make all smaller that can be; in a lull give back what is free."""
    for make_smaller in list(_holders):
        make_smaller()
    if lull.has_come(spent, seconds):
        gc.collect()
        give_back_memory()


def give_back_memory() -> None:
    """Hand what is free to the system."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:  # musl has none, and keeps less
        malloc_trim(0)

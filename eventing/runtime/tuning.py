"""Python's settings for a process that delivers events."""

from __future__ import annotations

import gc
import sys

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 20
_SWITCH_SECONDS = 0.0001


def tune_interpreter() -> None:
    """Collect garbage less often, and hand over between threads sooner, than by default.

    An event makes some thirty objects that die by their reference counts; at the default of 700
    allocations the collector for cycles runs every few events and finds nothing, for 4 to 6 % of
    the process's time.

    The thread that writes a group of events needs the interpreter three times for it, for some
    microseconds each. A busy event loop would let it wait for 5 ms each time, and the disk would
    be idle.
    """
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    sys.setswitchinterval(_SWITCH_SECONDS)

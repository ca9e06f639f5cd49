"""What is due of one PingSource, and what was missed. Pure: the time comes in.

=========================================  ==================================================
at the time of a tick                      what follows
=========================================  ==================================================
it is noticed within ``LATE_SECONDS``      fired
several are due at once                    the last one is fired, the others are missed
it is noticed later (the process slept)    missed
nobody was there (none led, none ran)      missed, as told by what was noted of the last one
=========================================  ==================================================

Nothing that was missed is made up for: a burst of old ticks helps nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from hearth.kube.cronticks import Schedule

LATE_SECONDS = 10.0
MOST_COUNTED = 1000
"""More missed ticks than this are not counted."""
NOTE_SECONDS = 10.0
"""Ticks are noted on the object at most so often."""


@dataclass(frozen=True, slots=True)
class Due:
    """What came of a look at the clock."""

    tick: float | None
    """The tick to fire (Unix seconds)."""
    missed: int = 0


class Ticker:
    """The ticks of one PingSource, from a moment on."""

    def __init__(self, schedule: Schedule, now: float) -> None:
        self._schedule = schedule
        self.next = schedule.after(now)
        """The next tick; None where there will be none."""

    def take(self, now: float) -> Due:
        """Take what is due by now, and go on to the next tick."""
        if self.next is None or self.next > now:
            return Due(None)
        last, missed, following = self.next, 0, None
        for following in self._schedule.ticks(last):
            if following > now or missed >= MOST_COUNTED:
                break
            last, missed = following, missed + 1
        else:
            following = None
        if following is not None and following <= now:  # more than anybody wants to count
            following = self._schedule.after(now)
        self.next = following
        if now - last > LATE_SECONDS:
            return Due(None, missed + 1)
        return Due(last, missed)


@dataclass(frozen=True, slots=True)
class Note:
    """What is noted on a PingSource: the last tick that was fired, of which generation."""

    generation: int
    tick: float

    def __str__(self) -> str:
        return f"{self.generation} {self.tick:.0f}"

    @classmethod
    def read(cls, text: str | None) -> Note | None:
        """Read a note; None where there is none that can be read."""
        generation, _, tick = (text or "").partition(" ")
        try:
            return cls(int(generation), float(tick))
        except ValueError:
            return None


def missed_since(note: Note, schedule: Schedule, *, generation: int, until: float) -> int:
    """Return how many ticks nobody fired between a note and a moment.

    Of a schedule that ticks faster than is noted, ticks right after the note may have been fired.
    """
    if note.generation != generation:
        return 0
    since = note.tick
    following = schedule.after(since)
    if following is not None and following - since < NOTE_SECONDS:
        since += NOTE_SECONDS
    missed = 0
    for tick in schedule.ticks(since):
        if tick >= until or missed >= MOST_COUNTED:
            break
        missed += 1
    return missed

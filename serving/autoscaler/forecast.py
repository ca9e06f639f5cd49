"""A forecast by season: the pods that the same time of other days, or weeks, needed. Pure.

Asked for by an annotation (``serving.api.season``). Time is cut into slots; of each the history
keeps what it needed, as an average that forgets, and how far that was off. What is expected soon is
wished for, as others wish (``wishes``): a floor beneath what requests ask for.

Nothing is foretold by a history that is short, or was off by half; nor once several slots in a row
that were foretold did not come, until there is a request or the next wave.
"""

from __future__ import annotations

import math
import zlib
from array import array
from dataclasses import dataclass

from hearth.kube.meta import Key
from serving.api.season import SLOT_SECONDS, Season
from serving.api.wishes import REVISION, Wish
from serving.autoscaler.wishes import ALL_TRAFFIC, Share, Shares

SOURCE = "forecast"
LEAD_SECONDS = 120
"""Pods are wished for so long before their slot."""
FORGETTING = 0.3
"""What the last day (or week) counts, of all."""
LEAST_TIMES = 2
"""A slot that was seen less often foretells nothing."""
LEAST_SURE = 0.5
LEAST_PODS = 0.5
MISSES = 3
"""After so many slots in a row that were foretold and did not come, this is no such day."""
_SCALE = 16
"""Parts of a pod that the history can tell apart."""
_MOST, _MOST_TIMES = 2**16 - 1, 2**8 - 1
_BYTES = 5
"""Of a slot."""
_FORM = b"1"
_NOTHING = 1e-4
"""Pods: averages that forget never end."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a history says of a slot."""

    pods: float
    """On average; the last times count most."""
    sure: float
    """1: it was always so; 0: as far off as the average itself."""
    times: int
    """How often it was seen, as far as that is counted."""

    @property
    def is_foretold(self) -> bool:
        """Whether it is something to go by."""
        is_known = self.times >= LEAST_TIMES and self.sure >= LEAST_SURE
        return is_known and self.pods >= LEAST_PODS


class History:
    """Of each slot the average, how far off it was, and how often it was seen: 5 bytes."""

    def __init__(self, slots: int) -> None:
        self._pods = array("H", bytes(2 * slots))
        self._off = array("H", bytes(2 * slots))
        self._times = array("B", bytes(slots))

    def record(self, slot: int, pods: float) -> None:
        """Take what a slot needed."""
        times, value, before = self._times[slot], pods * _SCALE, self._pods[slot]
        if times:
            self._off[slot] = _blend(self._off[slot], abs(value - before), times - 1)
        self._pods[slot] = _blend(before, value, times)
        self._times[slot] = min(_MOST_TIMES, times + 1)

    def expected(self, slot: int) -> Expected:
        """Return what is known of a slot."""
        pods, off = self._pods[slot], self._off[slot]
        sure = max(0.0, 1 - off / pods) if pods else 0.0
        return Expected(pods / _SCALE, sure, self._times[slot])

    def encode(self) -> bytes:
        """Return it as it is kept: some kilobytes for a week."""
        parts = (part.tobytes() for part in (self._pods, self._off, self._times))
        return _FORM + zlib.compress(b"".join(parts), 9)

    @classmethod
    def decode(cls, kept: bytes, slots: int) -> History:
        """Return what was kept; an empty one where that is something else."""
        history, size = cls(slots), _BYTES * slots
        try:
            raw = zlib.decompressobj().decompress(kept.removeprefix(_FORM), size + 1)
        except zlib.error:
            return history
        if len(raw) == size and kept.startswith(_FORM):
            history._pods = array("H", raw[: 2 * slots])
            history._off = array("H", raw[2 * slots : 4 * slots])
            history._times = array("B", raw[4 * slots :])
        return history


def _blend(before: float, value: float, times: int) -> int:
    """Move an average of so many values towards another; at first all count alike."""
    share = max(FORGETTING, 1 / (times + 1))
    return int(min(max(0.0, before + share * (value - before)), _MOST) + 0.5)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The pods to have ready now, and by what."""

    pods: int
    text: str

    def shares(self, revision: Key, percent: int = ALL_TRAFFIC) -> Shares:
        """Return it as a wish for a revision that gets some of the Service's traffic."""
        return (Share(Wish(REVISION, *revision, SOURCE, self.pods, text=self.text), percent),)


class Forecaster:
    """One Service: what it needs is told each tick, what it will need can be asked."""

    def __init__(self, season: Season, history: History, now: float) -> None:
        self.season = season
        self.history = history
        self._misses = 0
        self._slot_at = _slot_at(now)
        self._is_whole = _is_whole(now)
        self._seen: list[float] = []
        """What was needed while there was anything."""

    def see(self, pods: float, now: float) -> bool:
        """Take the pods that are needed now; whether the history is another by that.

        A slot that was not seen as a whole is not recorded: it is not known.
        """
        at, is_over = _slot_at(now), False
        if at != self._slot_at:
            is_over = self._is_whole and at == self._slot_at + SLOT_SECONDS
            if is_over:
                self._close(self.season.slot(self._slot_at))
            self._slot_at, self._is_whole = at, _is_whole(now)
            self._seen.clear()
        if pods > _NOTHING:
            self._misses = 0
            if len(self._seen) <= SLOT_SECONDS:
                self._seen.append(pods)
        return is_over

    def _close(self, slot: int) -> None:
        """Record the median, a pod at least: what a backlog asks for in passing does not count."""
        if not self.history.expected(slot).is_foretold:
            self._misses = 0
        elif not self._seen:
            self._misses += 1
        middle = sorted(self._seen)[len(self._seen) // 2] if self._seen else 0.0
        self.history.record(slot, max(1.0, middle) if self._seen else 0.0)

    def forecast(self, now: float) -> Forecast:
        """Return what this moment and the next minutes will need."""
        slots = [self.season.slot(at) for at in (now, now + LEAD_SECONDS)]
        found = [(self.history.expected(slot), slot) for slot in slots]
        expected, slot = max(found, key=lambda each: (each[0].is_foretold, each[0].pods))
        text = (
            f"{self.season.name(slot)}: {expected.pods:.3g} on average, seen {expected.times} "
            f"times, {expected.sure:.0%} sure"
        )
        if not expected.is_foretold:
            return Forecast(0, f"{text}: nothing to go by")
        if self._misses >= MISSES:
            return Forecast(0, f"{text}; but the last {self._misses} foretold did not come")
        return Forecast(math.ceil(expected.pods), text)


def changes_at(now: float) -> float:
    """Return when any forecast may be another."""
    ahead = _slot_at(now) + SLOT_SECONDS - LEAD_SECONDS
    return ahead if ahead > now else ahead + LEAD_SECONDS


def _slot_at(now: float) -> float:
    return now // SLOT_SECONDS * SLOT_SECONDS


def _is_whole(now: float) -> bool:
    """Whether who begins now sees the slot as good as whole."""
    return now - _slot_at(now) <= SLOT_SECONDS / 10

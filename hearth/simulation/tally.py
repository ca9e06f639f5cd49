"""What comes of a simulation: pods, waiting and refusals, over time and in all. Pure but for numpy.

Waits are counted in classes a tenth apart: a percentile of them is right to 5 %.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hearth.simulation.revision import Change

_FIRST, _RATIO, _CLASSES = 1e-3, 1.1, 152
_LOG_RATIO = math.log(_RATIO)
"""No wait; up to 1 ms; then each a tenth longer, up to half an hour."""

Series = npt.NDArray[np.float64]


def class_of(seconds: float) -> int:
    """Return the class of a wait."""
    if seconds <= 0:
        return 0
    if seconds <= _FIRST:
        return 1
    return min(_CLASSES - 1, 2 + int(math.log(seconds / _FIRST) / _LOG_RATIO))


MIDDLES: Series = np.array(
    [0.0, _FIRST / 2, *(_FIRST * _RATIO ** (number + 0.5) for number in range(_CLASSES - 2))]
)
"""What a wait of each class counts as, in seconds."""


def percentile(counts: Series, share: float) -> float:
    """Return the wait (seconds) that this share of the requests does not exceed."""
    total = float(counts.sum())
    if not total:
        return 0.0
    place = int(np.searchsorted(np.cumsum(counts), share * total * (1 - 1e-12)))
    return float(MIDDLES[min(place, _CLASSES - 1)])


@dataclass(slots=True)
class Tally:
    """Sums over bins of equal length; those of several services add up."""

    seconds: float
    bins: int
    waits: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    """By bin of arrival and class (``bin * classes + class``), how many requests."""
    longest_queue: list[float] = field(default_factory=list)
    longest_wait: float = 0.0
    full: float = 0.0
    """Requests refused with 503, for which the backlog had no room."""
    timed_out: float = 0.0
    """Requests that waited for as long as the revision's timeout."""

    def __post_init__(self) -> None:
        self.longest_queue = [0.0] * self.bins

    def bin(self, at: float) -> int:
        """Return the bin of a moment."""
        return min(self.bins - 1, int(at * self.bins / self.seconds))

    def waited(self, arrived: float, seconds: float, count: float = 1.0) -> None:
        """Count requests that waited so long; 0 for those that had a pod at once."""
        self.waits[self.bin(arrived) * _CLASSES + class_of(seconds)] += count
        if seconds > self.longest_wait:
            self.longest_wait = seconds

    def waited_not(self, place: int, count: float) -> None:
        """Count requests of a bin that had a pod at once."""
        self.waits[place * _CLASSES] += count

    def queued(self, at: float, count: float) -> None:
        """Note how many wait."""
        place = self.bin(at)
        if count > self.longest_queue[place]:
            self.longest_queue[place] = count


@dataclass(slots=True)
class Outcome:
    """What came of one service, or of many; ``+=`` adds others."""

    services: int
    requests: float
    waits: Series
    """By bin and class."""
    ready: Series
    """Ready pods by bin, on average."""
    asked: Series
    longest_queue: Series
    longest_wait: float
    full: float
    timed_out: float
    pod_seconds: float
    most_pods: int
    cold_starts: int
    decided: int
    """How often the autoscaler was asked to decide on a tick."""
    exact: int
    """How many services were simulated request by request."""

    def add(self, other: Outcome) -> None:
        """Add what came of other services; the most of each is that of all together by bin."""
        for name in ("waits", "ready", "asked", "longest_queue"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("services", "requests", "full", "timed_out", "pod_seconds", "cold_starts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.decided += other.decided
        self.exact += other.exact
        self.longest_wait = max(self.longest_wait, other.longest_wait)
        self.most_pods = max(self.most_pods, other.most_pods)


def outcome_of(
    tally: Tally, changes: Sequence[Change], *, cold_starts: int, decided: int, exact: bool
) -> Outcome:
    """Return what came of one service."""
    waits = np.zeros((tally.bins, _CLASSES))
    waits.flat[list(tally.waits)] = list(tally.waits.values())
    edges = np.linspace(0.0, tally.seconds, tally.bins + 1)
    at = np.array([change.at for change in changes] + [tally.seconds])
    asked = _integral(at, np.array([change.asked for change in changes], dtype=float), edges)
    ready = _integral(at, np.array([change.ready for change in changes], dtype=float), edges)
    width = tally.seconds / tally.bins
    return Outcome(
        services=1,
        requests=float(waits.sum()) + tally.full + tally.timed_out,
        waits=waits,
        ready=ready / width,
        asked=asked / width,
        longest_queue=np.array(tally.longest_queue),
        longest_wait=tally.longest_wait,
        full=tally.full,
        timed_out=tally.timed_out,
        pod_seconds=float(asked.sum()),
        most_pods=max(change.asked for change in changes),
        cold_starts=cold_starts,
        decided=decided,
        exact=int(exact),
    )


def _integral(at: Series, values: Series, edges: Series) -> Series:
    """Integrate steps over bins."""
    sums = np.concatenate(([0.0], np.cumsum(values * np.diff(at))))
    whole: Series = np.interp(edges, at, sums)
    return np.diff(whole)

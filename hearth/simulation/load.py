"""What a trace does to the autoscaler's windows while every request has a pod at once.

Arrays over the whole trace: in pods at each second, averages, pods asked for at each tick. Values
are whole multiples of a millionth (a power of two), so that sums of them are exact in any order,
and these arrays say exactly what windows that are filled second by second would.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hearth.simulation.tally import Series
from serving.api import keys
from serving.autoscaler.decide import TICK_SECONDS, DeciderSpec, Observation, ask
from serving.autoscaler.windows import bucket_count

_TICK = int(TICK_SECONDS)
_CHUNKS = (32, 256, 4096, 65536)
"""Ticks that are looked at at once: first few, as most searches end soon."""
_NEAR_TIE = 1e-5
"""Of a millionth: averages are rounded to those, here by another function than there."""
Flags = npt.NDArray[np.bool_]


class Load:
    """The requests of one service by second, and how long they take on average."""

    grain = 2.0**-20

    def __init__(self, per_second: Series, service_seconds: float, spec: DeciderSpec) -> None:
        self.per_second = per_second
        self.service_seconds = service_seconds
        self.window = max(bucket_count(spec.stable_window), bucket_count(spec.panic_window))
        self._spec = spec
        self._kept = math.exp(-1 / service_seconds)
        self._share = service_seconds * (1 - self._kept)
        self.in_pods = self._decayed(per_second * self._share)
        before = self.in_pods[:-1]
        average = before * self._share + per_second * (1 - self._share) * service_seconds
        self.concurrency: Series = np.round(average / self.grain) * self.grain
        by_requests = spec.metric == keys.METRIC_RPS
        seen = per_second if by_requests else self.concurrency
        self._sums: Series = np.concatenate(([0.0], np.cumsum(seen)))
        self._requests_at = np.flatnonzero(per_second)
        self._stable, self._ties = self._pods(spec.stable_window)
        self._panic, panic_ties = self._pods(spec.panic_window)
        self._ties |= panic_ties
        self._most = self._most_of_ticks()

    def _decayed(self, added: Series) -> Series:
        """In pods at the start of each second: what stays of the one before, and what is added."""
        taps = max(1, math.ceil(28 * self.service_seconds) + 1)
        kernel = self._kept ** np.arange(min(taps, len(added)))
        kept: Series = np.convolve(added, kernel)[: len(added)]
        return np.concatenate(([0.0], kept))

    def _pods(self, window: float) -> tuple[Series, Flags]:
        """Pods that a window asks for at each tick (0 s, 2 s, ...), and where rounding is open."""
        size = bucket_count(window)
        at = np.arange(0, len(self._sums), _TICK)
        average = (self._sums[at] - self._sums[np.maximum(at - size, 0)]) / size
        millionths = average * 1e6
        ties = np.abs(millionths - np.floor(millionths) - 0.5) < _NEAR_TIE
        pods: Series = np.ceil(np.rint(millionths) / 1e6 / self._spec.target)
        return pods, ties

    def _most_of_ticks(self) -> Series:
        """The most in pods, on average of a second, since the tick before."""
        ticks = len(self._stable)
        padded = np.zeros(ticks * _TICK)
        padded[_TICK : _TICK + len(self.concurrency)] = self.concurrency[: len(padded) - _TICK]
        most: Series = padded.reshape(ticks, _TICK).max(axis=1)
        return most

    def by_bin(self, bins: int) -> list[float]:
        """Return the requests by bin."""
        at = np.arange(len(self.per_second)) * bins // len(self.per_second)
        counted = np.bincount(at, self.per_second, bins)
        return [float(count) for count in counted]

    def next_request(self, second: int) -> int:
        """Return the first second from this one on that has requests, or the end."""
        place = int(np.searchsorted(self._requests_at, second))
        found = self._requests_at
        return int(found[place]) if place < len(found) else len(self.per_second)

    def unchanged_until(self, second: int, *, ready: int, wanted: int, limit: float) -> int:
        """Return the last tick up to which each decides on ``wanted`` and no request waits."""
        bounds = ask(self._spec, Observation(ready, 0.0, 0.0))
        tick = second // _TICK + 1
        for chunk in _CHUNKS:
            to = min(len(self._stable), tick + chunk)
            changes = self._changes(slice(tick, to), ready, wanted, bounds.lowest, bounds.highest)
            changes |= self._most[tick:to] > limit
            if changes.any():
                return (tick + int(changes.argmax()) - 1) * _TICK
            tick = to
        return (tick - 1) * _TICK

    def _changes(self, at: slice, ready: int, wanted: int, lowest: int, highest: int) -> Flags:
        spec, asked = self._spec, self._stable[at]
        pods = np.clip(asked, lowest, highest)
        if spec.activation_scale > 1:
            pods = np.where(asked > 0, np.maximum(pods, spec.activation_scale), pods)
        over: Flags = self._panic[at] / ready >= spec.panic_threshold
        changes: Flags = over | (pods != wanted) | self._ties[at]
        return changes

    # -- one second, from any number in pods -------------------------------------------------------

    def average(self, in_pods: float, requests: float) -> float:
        """Return the average in pods over a second, rounded to the grain."""
        average = in_pods * self._share + requests * (1 - self._share) * self.service_seconds
        return round(average / self.grain) * self.grain

    def after(self, in_pods: float, requests: float) -> float:
        """Return how many are in pods a second later."""
        return in_pods * self._kept + requests * self._share

    def during(self, in_pods: float, rate: float, seconds: float) -> tuple[float, float]:
        """Return how many are in pods after a while, and their sum over it, times seconds."""
        service = self.service_seconds
        kept = math.exp(-seconds / service)
        share = service * (1 - kept)
        return in_pods * kept + rate * share, in_pods * share + rate * (seconds - share) * service

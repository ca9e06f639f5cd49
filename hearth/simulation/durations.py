"""How long things take: fixed, or drawn from a distribution. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from hearth.kube.durations import parse_go_duration

_P99 = 2.3263478740408408
"""The standard normal distribution's 99th percentile."""
FORMS = "120ms, exponential:120ms (mean), uniform:50ms,200ms or lognormal:100ms,900ms (p50,p99)"


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds, all of one distribution."""

    text: str
    kind: str
    numbers: tuple[float, ...]

    def __str__(self) -> str:
        return self.text

    @property
    def mean(self) -> float:
        """What they are on average."""
        return _KINDS[self.kind].mean(*self.numbers)

    def draw(self, random: Random) -> float:
        """Return one of them."""
        return _KINDS[self.kind].draw(random, *self.numbers)


class _Kind(NamedTuple):
    mean: Callable[..., float]
    draw: Callable[..., float]


def _lognormal(median: float, p99: float) -> tuple[float, float]:
    """Return mean and deviation of the logarithm."""
    return math.log(median), math.log(p99 / median) / _P99


def _lognormal_mean(median: float, p99: float) -> float:
    mu, sigma = _lognormal(median, p99)
    return math.exp(mu + sigma * sigma / 2)


_KINDS = {
    "fixed": _Kind(lambda seconds: seconds, lambda random, seconds: seconds),
    "exponential": _Kind(lambda mean: mean, lambda random, mean: random.expovariate(1 / mean)),
    "uniform": _Kind(
        lambda low, high: (low + high) / 2, lambda random, low, high: random.uniform(low, high)
    ),
    "lognormal": _Kind(
        _lognormal_mean,
        lambda random, median, p99: random.lognormvariate(*_lognormal(median, p99)),
    ),
}


def parse_durations(text: str) -> Durations:
    """Read ``FORMS``; raises ValueError, which names them."""
    kind, _, numbers = text.rpartition(":")
    try:
        seconds = tuple(parse_go_duration(part) for part in numbers.split(","))
        made = Durations(text, kind or "fixed", seconds)
        if min(seconds) < 0 or not made.mean > 0:
            raise ValueError("no time")
    except (ValueError, KeyError, TypeError, ZeroDivisionError):
        raise ValueError(f"{text!r}: a duration is {FORMS}") from None
    return made

"""Traces by name: what requests may look like where none were recorded. Pure.

``fleet`` is many services as a large provider has them (Shahrad et al., "Serverless in the Wild",
2020, of Azure Functions): 45 % of them are called once an hour or less, 81 % once a minute or less,
and the rest makes nearly all requests. Within these classes rates are spread evenly over their
orders of magnitude; half of the services follow the day, a sixth are timers, a third go by chance.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hearth.simulation.tally import Series
from hearth.simulation.traces import Trace

_DAY = 86_400
_CLASSES = ((0.45, 1.0, 24.0), (0.81, 24.0, 1440.0), (1.0, 1440.0, 1.2e6))
"""Of the fleet: up to this share of services, from so many to so many requests a day."""

Shape = Callable[[Series, int], Series]
"""What share of the rate comes at these seconds of a trace of some length."""


def _constant(at: Series, seconds: int) -> Series:
    return np.ones_like(at)


def _step(at: Series, seconds: int) -> Series:
    inside = (at >= seconds / 3) & (at < seconds * 2 / 3)
    return np.where(inside, 1.0, 0.1)


def _spike(at: Series, seconds: int) -> Series:
    middle = seconds / 2
    return np.where((at >= middle) & (at < middle + max(10.0, seconds / 60)), 1.0, 0.05)


def _diurnal(at: Series, seconds: int) -> Series:
    shape: Series = 0.5 - 0.5 * np.cos(2 * np.pi * at / _DAY)
    return shape


def _bursts(at: Series, seconds: int) -> Series:
    return np.where(at % 300 < 10, 1.0, 0.0)


def _workdays(at: Series, seconds: int) -> Series:
    clock = at % _DAY / 3600
    is_work = (at // _DAY % 7 < 5) & (clock >= 8) & (clock < 18)
    level = np.where((clock >= 12) & (clock < 13), 0.6, 1.0)
    # Each quarter of an hour is its own, the same in each run.
    swing = 1 - 0.3 * (np.floor(at / 900) * 0.618034 % 1)
    return np.where(is_work, level * swing, 0.0)


SHAPES: dict[str, Shape] = {
    "constant": _constant,
    "step": _step,
    "spike": _spike,
    "diurnal": _diurnal,
    "bursts": _bursts,
    "workdays": _workdays,
}
FLEET = "fleet"
PATTERNS = (*SHAPES, FLEET)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Requests that come by chance, at a rate (requests/s at most) of some shape."""

    name: str
    shape: str
    rate: float
    seconds: int

    @property
    def expected(self) -> float:
        """How many requests are expected."""
        every = max(1, self.seconds // 3600)
        at = np.arange(0, self.seconds, every, dtype=float)
        return float(SHAPES[self.shape](at, self.seconds).mean() * self.rate * self.seconds)

    def moments(self, chance: np.random.Generator) -> list[float]:
        """Draw when each request comes."""
        most = chance.poisson(self.rate * self.seconds)
        at = np.sort(chance.random(most) * self.seconds)
        kept = at[chance.random(most) < SHAPES[self.shape](at, self.seconds)]
        return [float(moment) for moment in kept]

    def per_second(self, chance: np.random.Generator) -> Series:
        """Draw how many come in each second."""
        at = np.arange(self.seconds, dtype=float)
        return chance.poisson(self.rate * SHAPES[self.shape](at, self.seconds)).astype(float)


@dataclass(frozen=True, slots=True)
class Timer:
    """A request at a fixed interval."""

    name: str
    interval: float
    seconds: int

    @property
    def expected(self) -> float:
        """How many requests there are."""
        return self.seconds / self.interval

    def moments(self, chance: np.random.Generator) -> list[float]:
        """Begin by chance, then go on evenly."""
        first = float(chance.random()) * self.interval
        return [float(moment) for moment in np.arange(first, self.seconds, self.interval)]

    def per_second(self, chance: np.random.Generator) -> Series:
        """Count by second."""
        at = np.array(self.moments(chance), dtype=np.int64)
        return np.bincount(at, minlength=self.seconds).astype(float)


def traces_of(pattern: str, *, rate: float, seconds: int, services: int, seed: int) -> list[Trace]:
    """Return the traces of a pattern; ``rate`` means nothing to ``fleet``, which has its own."""
    if pattern != FLEET:
        return [Drawn(f"{pattern}-{n}", pattern, rate, seconds) for n in range(services)]
    chance = np.random.default_rng(seed)
    return [_of_fleet(number, chance, seconds) for number in range(services)]


def _of_fleet(number: int, chance: np.random.Generator, seconds: int) -> Trace:
    share = chance.random()
    _, low, high = next(each for each in _CLASSES if share < each[0])
    a_day = low * (high / low) ** chance.random()
    kind = chance.random()
    if kind < 1 / 6:
        return Timer(f"timer-{number}", _DAY / a_day, seconds)
    if kind < 1 / 2:
        return Drawn(f"chance-{number}", "constant", a_day / _DAY, seconds)
    return Drawn(f"day-{number}", "diurnal", 2 * a_day / _DAY, seconds)


def chance_of(seed: int, name: str) -> np.random.Generator:
    """Return the source of chance of one service: the same for the same seed and name."""
    return np.random.default_rng((seed, zlib.crc32(name.encode())))

"""Numbers and durations in annotations: one reader for each, with the bounds that admission has.

Admission (``validation.autoscaling``) refuses what these refuse, in Knative's words. Whoever reads
a stored annotation does it with ``stored``: a value that got past admission, or is older than a
rule, counts as absent. A test holds both against each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

from hearth.kube.durations import parse_go_duration
from hearth.kube.gotext import parse_finite, parse_int
from serving.api import keys
from serving.api.keys import Aliases

T = TypeVar("T")

MAX_INT32 = 2**31 - 1


def stored(
    annotations: Mapping[str, str], annotation: Aliases, read: Callable[[str], T], *, default: T
) -> T:
    """Read an annotation; the default where it is missing or ``read`` raises ValueError."""
    entry = annotation.find(annotations)
    try:
        return default if entry is None else read(entry[1])
    except ValueError:
        return default


def _within(number: float, low: float, high: float) -> None:
    if not low <= number <= high:
        raise ValueError(f"expected {low} <= {number} <= {high}")


def _number(low: float, high: float = math.inf) -> Callable[[str], float]:
    def read(text: str) -> float:
        number = parse_finite(text)
        _within(number, low, high)
        return number

    return read


def _integer(low: int, high: int = MAX_INT32) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = parse_int(text)
        _within(number, low, high)
        return number

    return read


def _seconds(low: float, high: float = math.inf) -> Callable[[str], float]:
    def read(text: str) -> float:
        seconds = parse_go_duration(text)
        _within(seconds, low, high)
        return seconds

    return read


def _burst_capacity(text: str) -> float:
    number = parse_finite(text)
    if number != keys.UNLIMITED_BURST:
        _within(number, 0, math.inf)
    return number


READ_TARGET = _number(keys.TARGET_MIN)
READ_TARGET_UTILIZATION = _number(1, 100)
READ_BURST_CAPACITY = _burst_capacity
READ_PANIC_WINDOW_PERCENTAGE = _number(
    keys.PANIC_WINDOW_PERCENTAGE_MIN, keys.PANIC_WINDOW_PERCENTAGE_MAX
)
READ_PANIC_THRESHOLD_PERCENTAGE = _number(
    keys.PANIC_THRESHOLD_PERCENTAGE_MIN, keys.PANIC_THRESHOLD_PERCENTAGE_MAX
)
READ_SCALE = _integer(0)
READ_ACTIVATION_SCALE = _integer(2)
READ_WINDOW = _seconds(keys.WINDOW_MIN_SECONDS, keys.WINDOW_MAX_SECONDS)
READ_PERIOD = _seconds(0, keys.WINDOW_MAX_SECONDS)
READ_DURATION = _seconds(0)
"""For progress deadlines and rollouts, which have no upper bound but Go's."""

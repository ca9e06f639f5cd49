"""How many replicas a measurement asks for. Pure.

Rules are those of Kubernetes' ``replica_calculator.go``, its integer divisions included. Amounts
are in thousandths.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hearth.cluster.controllers.autoscaling.grouping import Groups
from hearth.cluster.controllers.autoscaling.samples import MetricError, Sample

MAX_INT32 = 2**31 - 1
TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far from 1 the ratio of usage to target may be without anything being done."""

    down: float = TOLERANCE
    up: float = TOLERANCE

    def hold(self, ratio: float) -> bool:
        """Whether that is near enough."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True, slots=True)
class Measured:
    """Usage in proportion to its target, its average a pod, and in percent of what is requested."""

    ratio: float
    average: int
    percent: int | None = None


Measure = Callable[[Mapping[str, int]], Measured]


def utilization(requests: Mapping[str, int], target_percent: int) -> Measure:
    """Measures by what pods request."""

    def measure(values: Mapping[str, int]) -> Measured:
        requested = sum(requests.get(pod, 0) for pod in values)
        if requested == 0:
            raise MetricError("no metrics returned matched known pods")
        used = sum(value for pod, value in values.items() if pod in requests)
        percent = _quotient(used * 100, requested)
        return Measured(percent / target_percent, _quotient(used, len(values)), percent)

    return measure


def usage(target: int) -> Measure:
    """Measures by an amount a pod."""

    def measure(values: Mapping[str, int]) -> Measured:
        average = _quotient(sum(values.values()), len(values))
        return Measured(average / target, average)

    return measure


def counted(samples: Mapping[str, Sample], groups: Groups) -> dict[str, int]:
    """The amounts of the pods that count."""
    left_out = groups.ignored | groups.unready
    values = {pod: each.value for pod, each in samples.items() if pod not in left_out}
    if not values:
        raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
    return values


def of_pods(
    current: int,
    values: Mapping[str, int],
    groups: Groups,
    measure: Measure,
    *,
    at_target: Callable[[str], int],
    tolerances: Tolerances,
) -> tuple[int, Measured]:
    """Replicas by what each pod uses, with the measurement before anything was assumed.

    Pods of which nothing is known are held to be at their target (``at_target``) where there is
    less to do, and to be idle where there is more; so are those not ready yet.
    """
    measured = measure(values)
    has_new_ones = bool(groups.unready) and measured.ratio > 1.0
    if not has_new_ones and not groups.missing:
        if tolerances.hold(measured.ratio):
            return current, measured
        return _replicas(measured.ratio * groups.ready), measured
    filled = dict(values)
    if measured.ratio < 1.0:
        filled |= {pod: at_target(pod) for pod in groups.missing}
    elif measured.ratio > 1.0:
        filled |= dict.fromkeys(groups.missing, 0)
    if has_new_ones:
        filled |= dict.fromkeys(groups.unready, 0)
    ratio = measure(filled).ratio
    wanted = _replicas(ratio * len(filled))
    if tolerances.hold(ratio) or _turns(measured.ratio, ratio) or _against(ratio, wanted - current):
        return current, measured
    return wanted, measured


def _turns(before: float, after: float) -> bool:
    """Whether one says more and the other less."""
    return before < 1.0 < after or after < 1.0 < before


def _against(ratio: float, change: int) -> bool:
    return (ratio < 1.0 and change > 0) or (ratio > 1.0 and change < 0)


def by_ratio(
    current: int, value: int, target: int, *, ready: Callable[[], int], tolerances: Tolerances
) -> int:
    """Replicas by one value for all pods together."""
    ratio = value / target
    if current == 0:
        return _replicas(ratio)
    return current if tolerances.hold(ratio) else _replicas(ratio * ready())


def by_average(current: int, value: int, target: int, tolerances: Tolerances) -> tuple[int, int]:
    """Replicas by one value to be shared out, and the share of each pod there is.

    Without pods the whole value is told, where Kubernetes divides by zero.
    """
    is_held = current != 0 and tolerances.hold(value / (target * current))
    wanted = current if is_held else _replicas(value / target)
    return wanted, math.ceil(value / current) if current else value


def _replicas(number: float) -> int:
    return max(-MAX_INT32, min(MAX_INT32, math.ceil(number)))


def _quotient(amount: int, by: int) -> int:
    """Division as Go does it: towards zero."""
    return amount // by if amount >= 0 else -(-amount // by)

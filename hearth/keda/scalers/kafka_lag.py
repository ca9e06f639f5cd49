"""How far a consumer group of Kafka is behind, and how much of that counts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hearth.keda.scalers.seam import Reading

Partition = tuple[str, int]
"""Topic and number."""

NONE_COMMITTED = -1


@dataclass(frozen=True, slots=True)
class Rules:
    """What a trigger says about lag."""

    threshold: int
    activation: int = 0
    reads_from_start: bool = False
    """``offsetResetPolicy: earliest``: a group that committed nothing has all before it."""
    allow_idle_consumers: bool = False
    exclude_persistent_lag: bool = False
    scale_to_zero_on_invalid_offset: bool = False
    limit_to_partitions_with_lag: bool = False
    even_distribution: bool = False


class Lag:
    """What a group has to do; it remembers the offsets of the last look."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._previous: dict[Partition, int] = {}

    def reading(self, committed: Mapping[Partition, int], ends: Mapping[Partition, int]) -> Reading:
        """Return the lag that counts, and whether all lag, that which persists too, is enough."""
        lags = {
            at: self._of(at, committed.get(at, NONE_COMMITTED), end) for at, end in ends.items()
        }
        counted = [lag for lag, _ in lags.values()]
        total = self._limited(sum(counted), len(counted), sum(lag > 0 for lag in counted))
        return Reading(total, sum(lag for _, lag in lags.values()) > self._rules.activation)

    def _of(self, at: Partition, committed: int, end: int) -> tuple[int, int]:
        """The lag of one partition: what counts, and what there is."""
        rules = self._rules
        if committed == NONE_COMMITTED:
            lag = end if rules.reads_from_start else 1
            return (0, 0) if rules.scale_to_zero_on_invalid_offset else (lag, lag)
        # A topic that was made anew ends before what the group read of the old one.
        lag = max(0, end - committed)
        if not rules.exclude_persistent_lag:
            return lag, lag
        stands = self._previous.get(at) == committed
        self._previous[at] = committed
        return (0 if stands else lag), lag

    def _limited(self, total: int, partitions: int, lagging: int) -> int:
        """Not more than there are partitions for consumers, unless they may be idle."""
        rules = self._rules
        if rules.allow_idle_consumers and not (
            rules.limit_to_partitions_with_lag or rules.even_distribution
        ):
            return total
        if rules.even_distribution:
            total = _evenly(total, partitions, rules.threshold) * rules.threshold
        most = lagging if rules.limit_to_partitions_with_lag else partitions
        return most * rules.threshold if total // rules.threshold > most else total


def _evenly(total: int, partitions: int, threshold: int) -> int:
    """The least number of consumers that is enough and gives each as many partitions."""
    factors = (each for each in range(1, partitions + 1) if partitions % each == 0)
    return next((each for each in factors if each * threshold >= total), partitions)

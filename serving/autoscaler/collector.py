"""What the activators report of one revision, as averages over the decider's windows.

Time is an argument; nothing here knows where reports come from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from serving.api import keys
from serving.autoscaler.decide import DeciderSpec
from serving.autoscaler.windows import TimedBuckets, WeightedBuckets

REPORT_SECONDS = 5.0
"""For how long a report of waiting requests counts. An activator repeats it each second; one that
vanished with its machine never takes it back."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What one activator said last of requests that wait for a pod."""

    queued: int
    concurrency: float
    until: float


@dataclass(frozen=True, slots=True)
class _Busy:
    """What one activator said last of requests in pods."""

    pods: Mapping[str, int]
    until: float


class Collector:
    """The windows of one revision, for the metric its decider scales by."""

    def __init__(self, spec: DeciderSpec) -> None:
        kind = WeightedBuckets if spec.weighted else TimedBuckets
        self._metric = spec.metric
        self._stable = kind(spec.stable_window)
        self._panic = kind(spec.panic_window)
        self._waiting: dict[str, _Waiting] = {}
        self._busy: dict[str, _Busy] = {}

    def fits(self, spec: DeciderSpec) -> bool:
        """Whether the series means the same under this spec; windows may differ."""
        same_kind = isinstance(self._stable, WeightedBuckets) == spec.weighted
        return self._metric == spec.metric and same_kind

    def resize(self, spec: DeciderSpec, now: float) -> None:
        """Go over to the windows of another spec, keeping what was recorded."""
        self._stable.resize(spec.stable_window, now)
        self._panic.resize(spec.panic_window, now)

    def record(self, now: float, *, concurrency: float, requests: float) -> None:
        """Record what one activator reports for the second that ended at ``now``."""
        value = requests if self._metric == keys.METRIC_RPS else concurrency
        self._stable.record(now, value)
        self._panic.record(now, value)

    def record_nothing(self, now: float) -> None:
        """A second in which pods were there and nobody reported a request."""
        self.record(now, concurrency=0.0, requests=0.0)

    def record_silence(self, until: float, step: float) -> None:
        """Do as if ``record_nothing`` had been called every ``step`` seconds up to ``until``."""
        self._stable.record_silence(until, step)
        self._panic.record_silence(until, step)

    def set_queued(
        self, activator: str, queued: int, *, now: float, concurrency: float = 0.0
    ) -> None:
        """Take what waits at an activator; ``concurrency`` is all it has at once, in pods too."""
        self.forget_queued(activator)
        if queued:
            self._waiting[activator] = _Waiting(queued, concurrency, now + REPORT_SECONDS)

    def forget_queued(self, activator: str) -> None:
        """What waits at an activator is not known any more."""
        self._waiting.pop(activator, None)

    def queued(self, now: float) -> int:
        """Return the requests that wait for a pod, in all activators."""
        return sum(waiting.queued for waiting in self._known(now))

    def queued_concurrency(self, now: float) -> float:
        """Return the requests in pods and waiting, of the activators in which some wait."""
        return sum(waiting.concurrency for waiting in self._known(now))

    def set_busy(self, activator: str, pods: Mapping[str, int], now: float) -> None:
        """Take the requests that an activator has in pods, by pod."""
        self._busy.pop(activator, None)
        if pods:
            self._busy[activator] = _Busy(pods, now + REPORT_SECONDS)

    def busy(self, now: float) -> Mapping[str, int]:
        """Return the requests in pods, of all activators, by pod."""
        total: Counter[str] = Counter()
        for said in self._busy.values():
            if now < said.until:
                total.update(said.pods)
        return total

    def _known(self, now: float) -> list[_Waiting]:
        return [waiting for waiting in self._waiting.values() if now < waiting.until]

    def has_data(self, now: float) -> bool:
        """Whether anything was recorded within the stable window."""
        return not self._stable.is_empty(now)

    @property
    def empty_at(self) -> float:
        """When there is no data any more, if nothing more is recorded."""
        return self._stable.empty_at

    def observed_seconds(self, now: float) -> float:
        """For how long the series has been watched, at most about a window."""
        first = self._stable.first_write
        return 0.0 if first is None else now - first

    def averages(self, now: float) -> tuple[float, float]:
        """Return the averages over the stable and the panic window."""
        return self._stable.average(now), self._panic.average(now)

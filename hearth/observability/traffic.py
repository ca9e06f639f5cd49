"""What activators count of requests, read from Prometheus' text. Pure.

Two readings make rates; latencies come from the buckets that grew in between, within whose bounds a
quantile is interpolated, as Prometheus does it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

Name = tuple[str, str]
"""Namespace and name of a revision, or of what requests reach instead of one."""

_DURATION = "kn_serving_invocation_duration_seconds_bucket"
_ACTIVE, _QUEUED = "kn_revision_request_active", "kn_revision_request_queued"
_COLD = "hearth_activator_cold_requests_total"
_PHASE = "hearth_activator_cold_start_phase_seconds_sum"
_WANTED = tuple(f"{each}{{" for each in (_DURATION, _ACTIVE, _QUEUED, _COLD, _PHASE))
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_FAILED = ("5xx", "none")
_MOST_REVISIONS = 2000


@dataclass(slots=True)
class Count:
    """What one activator, or all, have counted of one revision."""

    service: str = ""
    """Whose revision it is; empty for what is none."""
    buckets: dict[float, float] = field(default_factory=dict)
    """Requests by the upper bound of their time in seconds; each bucket holds those before it."""
    failed: float = 0.0
    active: float = 0.0
    queued: float = 0.0
    cold: float = 0.0
    cold_seconds: float = 0.0

    @property
    def requests(self) -> float:
        """All that have ended."""
        return self.buckets.get(float("inf"), 0.0)


def parse(text: str) -> dict[Name, Count]:
    """Read what an activator tells; lines that are none of ours, or broken, are passed over."""
    found: dict[Name, Count] = {}
    for line in text.splitlines():
        if not line.startswith(_WANTED):
            continue
        metric, _, rest = line.partition("{")
        labelled, _, value = rest.partition("} ")
        labels = _labels(labelled)
        number = _number(value.partition(" ")[0])
        name = labels.get("k8s_namespace_name", ""), labels.get("kn_revision_name", "")
        service = labels.get("kn_service_name", "")
        if number is None or not (service or name[1]):
            continue
        if name in found or len(found) < _MOST_REVISIONS:
            _add(found.setdefault(name, Count(service)), metric, labels, number)
    return found


@lru_cache(100_000)
def _labels(text: str) -> Mapping[str, str]:
    return dict(_LABEL.findall(text))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _add(count: Count, metric: str, labels: Mapping[str, str], value: float) -> None:
    if metric == _DURATION:
        bound = _number(labels.get("le", "")) or 0.0
        count.buckets[bound] = count.buckets.get(bound, 0.0) + value
        if bound == float("inf") and labels.get("http_response_status_code") in _FAILED:
            count.failed += value
    elif metric == _ACTIVE:
        count.active += value
    elif metric == _QUEUED:
        count.queued += value
    elif metric == _COLD:
        count.cold += value
    else:
        count.cold_seconds += value


def grown(now: Count, before: Count | None) -> Count:
    """Return what was counted in between; of a counter that began anew, what it has counted."""
    old = before if before is not None and now.requests >= before.requests else Count()
    fresh = now.cold >= old.cold
    return Count(
        now.service,
        {bound: n - old.buckets.get(bound, 0.0) for bound, n in now.buckets.items()},
        now.failed - old.failed if now.failed >= old.failed else now.failed,
        now.active,
        now.queued,
        now.cold - old.cold if fresh else now.cold,
        max(0.0, now.cold_seconds - old.cold_seconds) if fresh else now.cold_seconds,
    )


def added(counts: Iterable[Count]) -> Count:
    """Return several counts as one."""
    total = Count()
    for each in counts:
        total.service = total.service or each.service
        for bound, n in each.buckets.items():
            total.buckets[bound] = total.buckets.get(bound, 0.0) + n
        for name in ("failed", "active", "queued", "cold", "cold_seconds"):
            setattr(total, name, getattr(total, name) + getattr(each, name))
    return total


def quantile(buckets: Mapping[float, float], part: float) -> float | None:
    """Return the time in seconds within which this part of the requests ended; None of none."""
    bounds = sorted(buckets.items())
    total = bounds[-1][1] if bounds else 0.0
    if total <= 0:
        return None
    rank = part * total
    for (low, before), (high, count) in pairwise([(0.0, 0.0), *bounds]):
        if count >= rank:
            if high == float("inf"):
                return low
            share = (rank - before) / (count - before) if count > before else 1.0
            return low + (high - low) * share
    return None

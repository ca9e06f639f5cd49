"""Rates and latencies of revisions, from what activators count. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from hearth.observability.traffic import Count, Name, added, grown, parse, quantile
from hearth.ui.tables import Row

_LATENCY_SECONDS = 10.0
"""Latencies are of the requests that ended within this time."""


class Meter:
    """Makes rows of one reading after the other. Times in seconds of any steady clock."""

    def __init__(self) -> None:
        self._before: dict[str, dict[Name, Count]] = {}
        self._read_at: float | None = None
        self._recent: deque[tuple[float, dict[Name, Count]]] = deque()
        self._cold_means: dict[Name, float] = {}

    def rows(self, readings: Mapping[str, str], now: float) -> dict[str, Row]:
        """Return a row for each revision; ``readings`` are texts by activator."""
        counted = {activator: _of_revisions(text) for activator, text in readings.items()}
        total = _by_revision(counted.values())
        if self._read_at is None:
            passed, growth = 0.0, dict[Name, Count]()
        else:
            passed = max(now - self._read_at, 1e-3)
            growth = _by_revision(self._growth(counted))
        self._before, self._read_at = counted, now
        self._recent.append((now, growth))
        while self._recent[0][0] <= now - _LATENCY_SECONDS:
            self._recent.popleft()
        return {
            "/".join(name): self._row(name, total[name], growth.get(name, Count()), passed)
            for name in total
        }

    def _growth(self, counted: Mapping[str, dict[Name, Count]]) -> Iterator[dict[Name, Count]]:
        """Of each activator that was read before, what its counters grew by."""
        for activator, counts in counted.items():
            old = self._before.get(activator)
            if old is not None:
                yield {name: grown(count, old.get(name)) for name, count in counts.items()}

    def _row(self, name: Name, total: Count, growth: Count, passed: float) -> Row:
        recent = added(each[name] for _, each in self._recent if name in each)
        if growth.cold:
            self._cold_means[name] = growth.cold_seconds / growth.cold
        return {
            "namespace": name[0],
            "revision": name[1],
            "service": total.service,
            "rps": _rounded(growth.requests / passed) if passed else 0.0,
            "errors": _rounded(growth.failed / passed) if passed else 0.0,
            "active": round(total.active),
            "queued": round(total.queued),
            "p50": _rounded(quantile(recent.buckets, 0.5)),
            "p99": _rounded(quantile(recent.buckets, 0.99)),
            "cold": round(total.cold),
            "coldSeconds": _rounded(self._cold_means.get(name)),
        }


def _of_revisions(text: str) -> dict[Name, Count]:
    return {name: count for name, count in parse(text).items() if count.service}


def _by_revision(counts: Iterable[Mapping[Name, Count]]) -> dict[Name, Count]:
    found: dict[Name, list[Count]] = {}
    for each in counts:
        for name, count in each.items():
            found.setdefault(name, []).append(count)
    return {name: each[0] if len(each) == 1 else added(each) for name, each in found.items()}


def _rounded(number: float | None) -> float | None:
    """Three digits: what changes behind them is no news."""
    return None if number is None else float(f"{number:.3g}")

"""From counts of CPU time to rates, as metrics-server makes them of two scrapes. Pure.

A rate is over the time since the oldest reading kept that knows the container, ``WINDOW_SECONDS``
at most when questions come often enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WINDOW_SECONDS = 5.0
"""metrics-server has 15 s, one scrape of many machines; the longer, the later a pod's CPU counts:
autoscalers want a whole window since it became ready."""
Name = tuple[str, ...]
"""Namespace, pod and container; empty for the whole machine."""
MACHINE: Name = ()


@dataclass(frozen=True, slots=True)
class Count:
    """CPU seconds used since the start, and bytes of memory used now."""

    cpu_seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Reading:
    """All counts of one moment, in Unix seconds."""

    at: float
    counts: Mapping[Name, Count]


def kept(readings: Sequence[Reading], now: float) -> list[Reading]:
    """The readings that rates may still be made of."""
    return [each for each in readings if now - WINDOW_SECONDS <= each.at <= now]


def rates(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """What each container uses, and the machine, by the newest reading and older ones.

    Who is known by the newest alone, or counts from anew, is not in it. CPU is in nanocores.
    """
    newest = readings[-1]
    entries = []
    for name, count in newest.counts.items():
        before = _oldest(readings[:-1], name, count)
        if before is not None and newest.at > before.at:
            window = newest.at - before.at
            used = count.cpu_seconds - before.counts[name].cpu_seconds
            entry = {"name": list(name), "memory": count.memory_bytes, "window": window}
            entries.append(entry | {"cpu": round(used / window * 1e9)})
    return entries


def _oldest(readings: Sequence[Reading], name: Name, count: Count) -> Reading | None:
    for each in readings:
        known = each.counts.get(name)
        if known is not None and known.cpu_seconds <= count.cpu_seconds:
            return each
    return None

"""Where time enters: pass a ``Clock`` (or a number) down, never read the clock in decisions."""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds since the Unix epoch."""

wall_clock: Clock = time.time


def rfc3339(seconds: float) -> str:
    """``2026-11-20T17:00:00Z``; how Kubernetes writes a Time."""
    return _whole_second(int(seconds))


@functools.lru_cache(maxsize=64)
def _whole_second(seconds: int) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(seconds: float) -> str:
    """``2026-11-20T17:00:00.123456Z``; how Kubernetes writes a MicroTime."""
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> float:
    """Return seconds since the epoch; raises ValueError on anything that is not RFC 3339."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

"""config-gc: how long revisions that no route uses are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from hearth.knative.configmap import Reader
from hearth.kube.durations import parse_go_duration
from hearth.kube.gotext import parse_uint

T = TypeVar("T", int, float)


@dataclass(frozen=True, slots=True)
class GcConfig:
    """Durations in seconds; None switches a limit off."""

    retain_since_create_time: float | None = 48 * 3600.0
    retain_since_last_active_time: float | None = 15 * 3600.0
    min_non_active_revisions: int = 20
    max_non_active_revisions: int | None = 1000

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> GcConfig:
        """Read the ConfigMap's data; raises ValueError in Knative's words."""
        try:
            low = Reader(data).integer("min-non-active-revisions", default=20)
        except ValueError as error:
            raise ValueError(f"failed to parse data: {error}") from None
        created = _limit(data, "retain-since-create-time", 48 * 3600.0, parse=_period)
        active = _limit(data, "retain-since-last-active-time", 15 * 3600.0, parse=_period)
        high = _limit(data, "max-non-active-revisions", 1000, parse=_count)
        config = cls(created, active, low, high)
        if low < 0:
            raise ValueError(f"min-non-active-revisions must be non-negative, was: {low}")
        if high is not None and low > high:
            raise ValueError(
                f"min-non-active-revisions({low}) must be <= max-non-active-revisions({high})"
            )
        return config


def _limit(data: Mapping[str, str], key: str, default: T, *, parse: Callable[[str], T]) -> T | None:
    text = data.get(key, "").strip()
    if not text:
        return default
    if text.lower() == "disabled":
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"failed to parse {key}: {error}") from None


def _count(text: str) -> int:
    number = parse_uint(text)
    if number > 2**63 - 1:
        raise ValueError(f"value should be lower than {2**63 - 1}")
    return number


def _period(text: str) -> float:
    seconds = parse_go_duration(text)
    if seconds < 0:
        raise ValueError("must be non-negative")
    return seconds

"""cron: so many replicas between two moments that come again and again, in a time zone."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass

from hearth.keda.scalers.catalog import Shared
from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.polled import Polled, parsing, polled
from hearth.keda.scalers.seam import ConfigError, TriggerConfig
from hearth.kube.cronticks import Schedule

_NEVER = float("-inf")
_NAMED = {" ": "", "*": "x", "/": "Sl", "?": "Qm", ",": "Cm"}


@dataclass(frozen=True)
class _Settings:
    start: str = param("start")
    end: str = param("end")
    timezone: str = param("timezone")
    desired_replicas: int = param("desiredReplicas")

    def check(self) -> None:
        for what, text in (("start", self.start), ("end", self.end)):
            _schedule(text, "", f"error parsing {what} schedule")
        if self.start == self.end:
            raise ConfigError("start and end can not have exactly same time input")
        if self.desired_replicas == 0:
            raise ConfigError("no desiredReplicas specified")
        if self.desired_replicas < 0:
            raise ConfigError("desiredReplicas must not be negative")
        if self.timezone not in ("Local", "UTC"):
            _zone(self.timezone)


def _schedule(text: str, timezone: str, doing: str) -> Schedule:
    if text.startswith("@"):  # KEDA's reader knows fields only
        raise ConfigError(f"{doing}: parser does not accept descriptors: {text}")
    try:
        return Schedule(text, timezone, with_seconds=False)
    except ValueError as error:
        raise ConfigError(f"{doing}: {error}") from None


def _zone(name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError(f"unable to load timezone: unknown time zone {name}") from None


def is_within(start: Schedule, end: Schedule, now: float) -> bool:
    """Whether the next end comes before the next start: from a start on, and not at an end.

    One that never comes counts as long past, as Go's zero time does in KEDA's comparison.
    """
    starts, ends = start.after(now), end.after(now)
    first, last = _NEVER if starts is None else starts, _NEVER if ends is None else ends
    return first < now < last if first < last else first < now or now < last


def make(config: TriggerConfig, shared: Shared) -> Polled:
    """Return the scaler of a ``cron`` trigger. Raises ConfigError."""
    with parsing("cron"):
        settings = read_params(_Settings, config)
    zone = "UTC" if settings.timezone == "Local" else settings.timezone
    start, end = (_schedule(each, zone, "cron") for each in (settings.start, settings.end))

    async def fetch() -> float:
        return settings.desired_replicas if is_within(start, end, shared.clock()) else 0.0

    return polled(
        config,
        f"cron-{settings.timezone}-{_named(settings.start)}-{_named(settings.end)}",
        target=1,
        activation=0,
        fetch=fetch,
        doing="error looking at the cron schedule",
    )


def _named(schedule: str) -> str:
    return "".join(_NAMED.get(sign, sign) for sign in schedule)

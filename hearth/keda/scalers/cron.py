"""cron: so many replicas between two moments that come again and again, in a time zone."""

from __future__ import annotations

import asyncio
import contextlib
import zoneinfo
from collections.abc import AsyncIterator
from dataclasses import dataclass

from hearth.keda.scalers.catalog import Shared
from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.polled import Polled, parsing, polled
from hearth.keda.scalers.seam import ConfigError, MetricSpec, Reading, TriggerConfig
from hearth.kube.clock import Clock
from hearth.kube.cronticks import Schedule

_NEVER = float("-inf")
_LONGEST = 60.0
"""Seconds after which the clock is looked at again: it may have been set."""
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


class Cron:
    """A scaler that also tells of its own moments, when they come (``seam.PushScaler``)."""

    def __init__(self, polled: Polled, start: Schedule, end: Schedule, clock: Clock) -> None:
        self._polled, self._start, self._end, self._clock = polled, start, end, clock
        self._closed = asyncio.Event()

    @property
    def spec(self) -> MetricSpec:
        """The metric."""
        return self._polled.spec

    async def read(self) -> Reading:
        """Look at the clock."""
        return await self._polled.read()

    async def activity(self) -> AsyncIterator[bool]:
        """Yield whether it is within, now and whenever that changes."""
        told: bool | None = None
        while not self._closed.is_set():
            now = self._clock()
            if (active := is_within(self._start, self._end, now)) is not told:
                told = active
                yield active
                continue
            moments = (each.after(now) for each in (self._start, self._end))
            following = min((each for each in moments if each is not None), default=now + _LONGEST)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), min(following - now, _LONGEST))

    async def close(self) -> None:
        """Who listens hears the end."""
        self._closed.set()


def make(config: TriggerConfig, shared: Shared) -> Cron:
    """Return the scaler of a ``cron`` trigger. Raises ConfigError."""
    with parsing("cron"):
        settings = read_params(_Settings, config)
    zone = "UTC" if settings.timezone == "Local" else settings.timezone
    start, end = (_schedule(each, zone, "cron") for each in (settings.start, settings.end))

    async def fetch() -> float:
        return settings.desired_replicas if is_within(start, end, shared.clock()) else 0.0

    made = polled(
        config,
        f"cron-{settings.timezone}-{_named(settings.start)}-{_named(settings.end)}",
        target=1,
        activation=0,
        fetch=fetch,
        doing="error looking at the cron schedule",
    )
    return Cron(made, start, end, shared.clock)


def _named(schedule: str) -> str:
    return "".join(_NAMED.get(sign, sign) for sign in schedule)

"""What all activators say of routes, put together. Pure: time is an argument, in seconds.

An activator tells each second of routes with traffic, and at once when somebody waits for one that
has nothing ready (``serving.api.stats``). It says nothing of routes without traffic: while it is
connected its silence means none. Of one that is lost the last word counts for a while: missing
knowledge scales nothing down.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hearth.keda.api.httproutes import Scaling
from hearth.keda.external.windows import RequestWindow
from hearth.kube.meta import Key
from serving.api.stats import Frame

SILENCE_SECONDS = 2.5
"""How long a word counts while its activator is connected: two frames and a half."""
LOST_SECONDS = 30.0
"""How long after it is lost."""


@dataclass(slots=True)
class _Word:
    """What one activator said of one route."""

    concurrency: float
    at: float


@dataclass(slots=True)
class _Activator:
    words: dict[Key, _Word] = field(default_factory=dict)
    lost_at: float | None = None


class RouteCounters:
    """Requests in flight and a second, by route."""

    def __init__(self) -> None:
        self._activators: dict[str, _Activator] = {}
        self._windows: dict[Key, RequestWindow] = {}

    def follow(self, route: Key, scaling: Scaling) -> None:
        """Average requests of a route as its object says; begins anew where that is changed."""
        known = self._windows.get(route)
        if known is None or (known.window, known.granularity) != (
            scaling.window,
            scaling.granularity,
        ):
            self._windows[route] = RequestWindow(scaling.window, scaling.granularity)

    def forget(self, route: Key) -> None:
        """A route is gone."""
        self._windows.pop(route, None)

    def joined(self, activator: str) -> None:
        """An activator has connected, again perhaps."""
        self._activators.setdefault(activator, _Activator()).lost_at = None

    def lost(self, activator: str, now: float) -> None:
        """Its connection is gone."""
        known = self._activators.get(activator)
        if known is not None:
            known.lost_at = now

    def receive(self, activator: str, frame: Frame, now: float) -> list[Key]:
        """Take over a report; returns the routes that it tells of."""
        words = self._activators.setdefault(activator, _Activator()).words
        routes = []
        for stat in frame.stats:
            route = (stat.namespace, stat.revision)
            window = self._windows.get(route)
            if window is None:
                continue
            # Who waits is wanted now, whatever the average over the last second is.
            words[route] = _Word(max(stat.concurrency, float(stat.queued)), now)
            window.record(now, stat.requests)
            routes.append(route)
        return routes

    def is_known(self, now: float) -> bool:
        """Whether an activator is connected, or was a moment ago."""
        self._forget_lost(now)
        return bool(self._activators)

    def concurrency(self, route: Key, now: float) -> float:
        """Requests of a route that are in flight or wait."""
        self._forget_lost(now)
        return sum(self._said(each, route, now) for each in self._activators.values())

    def rate(self, route: Key, now: float) -> float:
        """Requests of a route a second."""
        window = self._windows.get(route)
        return window.average(now) if window is not None else 0.0

    def _said(self, activator: _Activator, route: Key, now: float) -> float:
        word = activator.words.get(route)
        if word is None:
            return 0.0
        if activator.lost_at is None and now - word.at > SILENCE_SECONDS:
            del activator.words[route]
            return 0.0
        return word.concurrency

    def _forget_lost(self, now: float) -> None:
        for name, activator in list(self._activators.items()):
            if activator.lost_at is not None and now - activator.lost_at > LOST_SECONDS:
                del self._activators[name]

"""The metrics of a route, by the names that the add-on's external scaler has for them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hearth.keda.api.httproutes import HttpRoute
from hearth.keda.external.counters import RouteCounters

INTERCEPTORROUTE, HTTPSCALEDOBJECT = "interceptorRoute", "httpScaledObject"
"""Keys of a trigger's metadata, which name its route."""
_UNSAFE = re.compile(r"[^-.0-9A-Za-z]")


@dataclass(frozen=True, slots=True)
class RouteMetric:
    """One metric: its name, its target and what it is now."""

    name: str
    target: float
    value: float


def metrics_of(
    route: HttpRoute, kind: str, counters: RouteCounters, now: float
) -> list[RouteMetric]:
    """Return what is measured of a route; ``kind`` is the key that named it."""
    scaling, key = route.scaling, (route.namespace, route.name)
    found = []
    if scaling.concurrency is not None:
        value = counters.concurrency(key, now)
        found.append(RouteMetric(_name(route, kind, "concurrency"), scaling.concurrency, value))
    if scaling.rate is not None:
        found.append(RouteMetric(_name(route, kind, "rate"), scaling.rate, counters.rate(key, now)))
    return found


def _name(route: HttpRoute, kind: str, what: str) -> str:
    if kind == HTTPSCALEDOBJECT:
        # Of one metric only, which is not named after what it measures.
        plain = f"http-{route.namespace}/{route.name}"
        return _UNSAFE.sub(lambda found: f"_{ord(found[0]):04X}", plain)
    return f"http_{route.name}_{what}"

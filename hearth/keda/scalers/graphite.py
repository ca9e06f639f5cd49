"""``graphite``: the newest value of one series. Source: KEDA's ``graphite_scaler.go``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import AUTH, param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    address: str = param("serverAddress")
    query: str = param("query")
    target: float = param("threshold", default="100")
    activation: float = param("activationThreshold", default="0")
    since: str = param("queryTime")
    mode: str = param("authMode", enum=("basic",), optional=True)
    user: str = param("username", order=(AUTH,), optional=True)
    password: str = param("password", order=(AUTH,), optional=True)

    def check(self) -> None:
        """Refuse basic authentication of nobody."""
        if self.mode == "basic" and not self.user:
            raise ConfigError("username is required when authMode is 'basic'")


def newest(series: Any, query: str) -> float:
    """Return the last value that is not null; no series, and none of its points, are 0."""
    if not isinstance(series, list) or len(series) > 1:
        raise ScalerError(f"graphite query {query} returned multiple series")
    points = series[0]["datapoints"] if series else []
    known = [point[0] for point in points if point[0] is not None]
    if points and not known:
        raise ScalerError(
            f"no valid non-null response in query {query}, try increasing your queryTime or "
            "check your query"
        )
    return number(known[-1]) if known else 0.0


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("graphite", "graphite"):
        settings = read_params(Settings, config)
    http = client(config)
    if settings.user:
        http.auth = httpx.BasicAuth(settings.user, settings.password)
    asked = {"from": settings.since, "target": settings.query, "format": "json"}

    async def fetch() -> float:
        answer = await get_json(http, f"{settings.address}/render", params=asked)
        return newest(answer, settings.query)

    return polled(
        config,
        "graphite",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error executing graphite query",
    )

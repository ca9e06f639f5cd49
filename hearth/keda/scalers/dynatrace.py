"""``dynatrace``: the first value of a metric selector, or column ``r`` of a DQL query.

Source: KEDA's ``dynatrace_scaler.go``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from hearth.keda.scalers.http import answer, client, get_json
from hearth.keda.scalers.params import AUTH, METADATA, Seconds, param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig

_UNDER_WAY = ("RUNNING", "NOT_STARTED")
_FAILURES = {
    "FAILED": "query failed",
    "CANCELLED": "query was cancelled",
    "RESULT_GONE": "result expired (RESULT_GONE)",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    host: str = param("host", order=(METADATA, AUTH))
    token: str = param("token", order=(AUTH,))
    selector: str = param("metricSelector", optional=True)
    query: str = param("query", optional=True)
    query_seconds: int = param("queryTimeoutSeconds", default="10")
    wait: Seconds = param("queryPollingWait", default="1s")
    tries: int = param("queryPollingTries", default="5")
    since: str = param("from", optional=True)
    target: float = param("threshold")
    activation: float = param("activationThreshold", optional=True)

    def check(self) -> None:
        """Refuse neither and both."""
        if not self.query and not self.selector:
            raise ConfigError("either 'metricSelector' or 'query' must be provided")
        if self.query and self.selector:
            raise ConfigError(
                "'metricSelector' and 'query' are mutually exclusive; only one can be provided"
            )
        if self.query and self.since:
            raise ConfigError(
                "'from' can't be used with query, set time range in the DQL query itself"
            )


def metric_of(found: Any) -> float:
    """Return the first value of the first series."""
    for key, missing in (
        ("result", "does not contain any results"),
        ("data", "does not contain any metric series"),
        ("values", "does not contain any values for the metric series"),
    ):
        rows = found.get(key)
        if not rows:
            raise ScalerError(f"dynatrace response {missing}")
        found = rows[0]
    return number(found)


def record_of(found: Any) -> float | None:
    """Return ``r`` of the first record, or None while the query runs."""
    state = found.get("state")
    if state in _UNDER_WAY:
        return None
    if state != "SUCCEEDED":
        why = _FAILURES.get(state, f"unknown state: {state}")
        raise ScalerError(f"error executing DQL query: {why}")
    records = found.get("result", {}).get("records")
    if not records:
        raise ScalerError("error executing DQL query: empty result")
    return number(records[0].get("r", 0))


async def _run(http: httpx.AsyncClient, settings: Settings, base: str) -> float:
    """Start a query, then ask for its result some times."""
    headers = {"Authorization": f"Bearer {settings.token}"}
    asked = {"query": settings.query, "fetchTimeoutSeconds": settings.query_seconds}
    started = await answer(
        http, f"{base}:execute", method="POST", json=asked, headers=headers, ok=(202,)
    )
    state = started.json().get("state")
    if state not in (*_UNDER_WAY, "SUCCEEDED"):
        raise ScalerError(f"error starting DQL query: unknown state {state}")
    token = {"request-token": str(started.json()["requestToken"])}
    for attempt in range(settings.tries):
        if attempt:
            await asyncio.sleep(settings.wait)
        found = record_of(await get_json(http, f"{base}:poll", params=token, headers=headers))
        if found is not None:
            return found
    raise ScalerError(f"DQL query did not complete within {settings.tries} attempts")


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("dynatrace", "dynatrace"):
        settings = read_params(Settings, config)
    http, host = client(config), settings.host.rstrip("/")
    headers = {"Authorization": f"Api-Token {settings.token}"}
    asked = {"metricSelector": settings.selector, "from": settings.since or "now-2h"}

    async def fetch() -> float:
        if settings.query:
            return await _run(http, settings, f"{host}/platform/storage/query/v1/query")
        url = f"{host}/api/v2/metrics/query"
        return metric_of(await get_json(http, url, params=asked, headers=headers))

    waits = settings.tries * settings.wait if settings.query else 0.0
    return polled(
        config,
        "dynatrace",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error executing Dynatrace query",
        timeout=config.timeout + waits,
    )

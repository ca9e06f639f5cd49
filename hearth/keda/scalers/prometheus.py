"""prometheus: the one value of a query."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from typing import Any

from hearth.keda.scalers import http
from hearth.keda.scalers.authentication import Authentication
from hearth.keda.scalers.catalog import Shared
from hearth.keda.scalers.params import Seconds, param, read_params
from hearth.keda.scalers.polled import Polled, number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, ScalerError, TriggerConfig
from hearth.keda.scalers.telling import LISTENER

_LOST = "prometheus metrics 'prometheus' target may be lost, the "


@dataclass(frozen=True)
class _Settings(Authentication):
    server_address: str = param("serverAddress")
    query: str = param("query")
    query_parameters: dict[str, str] = param("queryParameters", optional=True)
    threshold: float = param("threshold")
    activation: float = param("activationThreshold", optional=True)
    namespace: str = param("namespace", optional=True)
    custom_headers: dict[str, str] = param("customHeaders", optional=True)
    ignore_null_values: bool = param("ignoreNullValues", default="true")
    unsafe_ssl: bool = param("unsafeSsl", optional=True)
    timeout: Seconds = param("timeout", optional=True)


def make(config: TriggerConfig, shared: Shared) -> Polled:
    """Return the scaler of a ``prometheus`` trigger. Raises ConfigError."""
    with parsing("prometheus", "prometheus"):
        settings = read_params(_Settings, config)
    with parsing("prometheus"):
        if settings.modes and config.pod_identity.provider not in ("", "none"):
            raise ConfigError("pod identity cannot be enabled with other auth types")
        if config.pod_identity.provider not in ("", "none"):
            raise ConfigError(
                f"pod identity {config.pod_identity.provider} is not supported here: give authModes"
            )
    client = http.client(
        config,
        unsafe_ssl=settings.unsafe_ssl,
        timeout=settings.timeout,
        auth=settings,
        headers=settings.custom_headers,
    )
    url = f"{settings.server_address}/api/v1/query"

    async def fetch() -> float:
        now = datetime.datetime.fromtimestamp(int(shared.clock()), tz=datetime.UTC)
        asked = {"query": settings.query, "time": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        if settings.namespace:
            asked["namespace"] = settings.namespace
        params = {**asked, **settings.query_parameters}
        answer = await http.get_json(client, url, params=params)
        if is_empty(answer):
            LISTENER.get().found_nothing(is_ignored=settings.ignore_null_values)
        return value_of(answer, settings)

    return polled(
        config,
        "prometheus",
        target=settings.threshold,
        activation=settings.activation,
        fetch=fetch,
        doing="error executing prometheus query",
        closing=client.aclose,
        secrets=settings.custom_headers.values(),
        timeout=settings.timeout or None,
    )


def is_empty(answer: Any) -> bool:
    """Whether a query has found nothing."""
    try:
        elements = answer["data"]["result"] or []
        return not elements or (len(elements) == 1 and not elements[0].get("value"))
    except (AttributeError, KeyError, TypeError, IndexError):
        return False


def value_of(answer: Any, settings: Any) -> float:
    """Return the value of a query's answer. Raises ScalerError for none, several and no number.

    With ``ignoreNullValues`` no element, NaN and infinity are 0.
    """
    try:
        elements = answer["data"]["result"] or []
        pair = (elements[0].get("value") or []) if elements else []
    except (AttributeError, KeyError, TypeError, IndexError):
        raise ScalerError("the answer is none of Prometheus' API") from None
    if len(elements) > 1:
        raise ScalerError(f"prometheus query {settings.query} returned multiple elements")
    if not pair:
        if settings.ignore_null_values:
            return 0.0
        raise ScalerError(f"{_LOST}{'value list' if elements else 'result'} is empty")
    if len(pair) < 2:
        raise ScalerError(f"prometheus query {settings.query} didn't return enough values")
    value = number(pair[1])
    if not math.isfinite(value):
        if settings.ignore_null_values:
            return 0.0
        raise ScalerError(f"prometheus query returns {value:f}")
    return value

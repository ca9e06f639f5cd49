"""``loki``: the value of a LogQL query. Source: KEDA's ``loki_scaler.go``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from hearth.keda.scalers.authentication import Authentication
from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import Scaler, ScalerError, TriggerConfig

_PATH = "/loki/api/v1/query"


@dataclass(frozen=True)
class Settings(Authentication):
    """Parameters of the trigger, those of its authentication apart."""

    address: str = param("serverAddress")
    query: str = param("query")
    target: float = param("threshold")
    activation: float = param("activationThreshold", default="0")
    tenant: str = param("tenantName", optional=True)
    ignore_null: bool = param("ignoreNullValues", default="true")
    unsafe_ssl: bool = param("unsafeSsl", default="false")


def url_of(address: str) -> str:
    """Return where queries go: the address may have some of the path already, or all of it."""
    parts = urlsplit(address)
    path = parts.path.rstrip("/")
    if not path.endswith(_PATH):
        overlap = path if path and _PATH.startswith(f"{path}/") else ""
        path = path + _PATH.removeprefix(overlap)
    return urlunsplit(parts._replace(path=path))


def value_of(answer: Any, query: str, ignore_null: bool) -> float:
    """Return the one value of an answer; nothing is 0 or, if it must not be, a ScalerError."""
    results = answer["data"]["result"]
    if len(results or []) > 1:
        raise ScalerError(f"loki query {query} returned multiple elements")
    pair = results[0].get("value") if results else None
    if not pair:
        if ignore_null:
            return 0.0
        missing = "value list" if results else "result"
        raise ScalerError(f"loki metrics may be lost, the {missing} is empty")
    if len(pair) < 2:
        raise ScalerError(f"loki query {query} didn't return enough values")
    return 0.0 if pair[1] is None else number(pair[1])


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("loki", "loki"):
        settings = read_params(Settings, config)
    http = client(config, unsafe_ssl=settings.unsafe_ssl, auth=settings)
    headers = {"X-Scope-OrgID": settings.tenant} if settings.tenant else {}
    url = url_of(settings.address)

    async def fetch() -> float:
        answer = await get_json(http, url, params={"query": settings.query}, headers=headers)
        return value_of(answer, settings.query, settings.ignore_null)

    return polled(
        config,
        "loki",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error executing loki query",
    )

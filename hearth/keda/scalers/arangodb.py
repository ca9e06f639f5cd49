"""``arangodb``: ``value`` of the one document that an AQL query returns.

Source: KEDA's ``arangodb_scaler.go``; ArangoDB's HTTP API (``/_api/cursor``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import jwt

from hearth.keda.scalers.authentication import Authentication
from hearth.keda.scalers.http import answer, client, get_json
from hearth.keda.scalers.params import AUTH, METADATA, param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig


@dataclass(frozen=True)
class Settings(Authentication):
    """Parameters of the trigger."""

    endpoints: list[str] = param("endpoints", order=(AUTH, METADATA))
    database: str = param("dbName", order=(METADATA, AUTH))
    collection: str = param("collection")
    query: str = param("query")
    target: float = param("queryValue", default="0")
    activation: float = param("activationQueryValue", default="0")
    unsafe_ssl: bool = param("unsafeSsl", default="false")
    connections: int = param("connectionLimit", optional=True)


def value_of(found: Any) -> float:
    """Return the value of the only document; raises ScalerError for any other number of them."""
    rows = found.get("result") or []
    if len(rows) != 1:
        raise ScalerError("more than one values received, please check the query")
    if not isinstance(rows[0], dict):
        raise ScalerError("query result is not in the specified format, please check the query")
    return number(rows[0].get("value", 0))


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("arangoDB"):
        with parsing("arango"):
            settings = read_params(Settings, config)
        if not settings.target and not config.as_metric_source:
            raise ConfigError("no QueryValue given")
    # A bearer token is the server's own secret: it signs what is sent (KEDA's client does so too).
    is_signed = "bearer" in settings.modes
    http = client(config, unsafe_ssl=settings.unsafe_ssl, auth=None if is_signed else settings)
    if is_signed:
        claims = {"iss": "arangodb", "server_id": ""}
        signed = jwt.encode(claims, settings.bearer_token, "HS256")
        http.headers["Authorization"] = f"bearer {signed}"
    database, place = quote(settings.database, safe=""), quote(settings.collection, safe="")

    async def at(endpoint: str) -> float:
        base = f"{endpoint.rstrip('/')}/_db/{database}/_api"
        found = await answer(http, f"{base}/collection/{place}", ok=(200, 404))
        if found.status == 404:
            raise ScalerError(
                f"{settings.collection} collection not found in {settings.database} database"
            )
        asked = {"query": settings.query, "count": True}
        return value_of(await get_json(http, f"{base}/cursor", method="POST", json=asked))

    async def fetch() -> float:
        failure = ScalerError("no endpoint given")
        for endpoint in settings.endpoints:
            try:
                return await at(endpoint)
            except ScalerError as error:
                failure = error
        raise failure

    return polled(
        config,
        "arangodb",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="failed to inspect arangoDB",
    )

"""``couchdb``: how many documents a selector finds. Source: KEDA's ``couchdb_scaler.go``.

All pages are counted (CouchDB's own limit is 25 documents), and the user is the one that is named.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import need, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    connection: str = param("connectionString", order=(AUTH, METADATA, ENV), optional=True)
    host: str = param("host", order=(AUTH, METADATA), optional=True)
    port: str = param("port", order=(AUTH, METADATA), optional=True)
    user: str = param("username", order=(AUTH, METADATA), optional=True)
    password: str = param("password", order=(AUTH, METADATA, ENV), optional=True)
    database: str = param("dbName", order=(AUTH, METADATA), optional=True)
    query: str = param("query", optional=True)
    target: int = param("queryValue", optional=True)
    activation: int = param("activationQueryValue", default="0")

    def check(self) -> None:
        """Refuse an address that is not complete."""
        names = ("host", "port", "username", "password", "dbName")
        values = (self.host, self.port, self.user, self.password, self.database)
        if not self.connection:
            need(dict(zip(names, values, strict=True)))


def request_of(query: str) -> dict[str, Any]:
    """Return what is asked for; raises ScalerError, as KEDA does when it reads."""
    try:
        said = json.loads(query)
        return {"selector": said["selector"], "fields": said.get("fields") or ["_id"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScalerError(f"error unmarshaling query: {error!r}") from None


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("couchdb"):
        with parsing("couchdb"):
            settings = read_params(Settings, config)
        if not settings.target and not config.as_metric_source:
            raise ConfigError("no queryValue given")
    base = settings.connection or f"http://{settings.host}:{settings.port}"
    http = client(config)
    if settings.password:
        http.auth = httpx.BasicAuth(settings.user or "admin", settings.password)
    url = f"{base.rstrip('/')}/{quote(settings.database, safe='')}/_find"

    async def fetch() -> float:
        asked = {**request_of(settings.query), "limit": _PAGE}
        count, found = 0, _PAGE
        while found == _PAGE:
            answer = await get_json(http, url, method="POST", json=asked)
            found = len(answer["docs"])
            count, asked = count + found, {**asked, "bookmark": answer.get("bookmark")}
        return count

    return polled(
        config,
        f"coucdb-{settings.database}",  # as KEDA spells it
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="failed to inspect couchdb",
    )

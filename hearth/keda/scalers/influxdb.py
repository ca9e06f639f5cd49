"""``influxdb``: the first value of a Flux query (v2), or a column of a query of v3.

Source: KEDA's ``influxdb_scaler.go``. Both versions are asked over HTTP; v3 has the queries of its
Flight interface there as well (``/api/v3/query_sql``, ``/api/v3/query_influxql``).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Any

from hearth.keda.scalers.http import client, fetch, get_json
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig

_KINDS = {"influxql": "query_influxql", "flightsql": "query_sql"}
_OLD_TOKEN = (
    "The 'authToken' setting from triggerMetadata is DEPRECATED and is removed in v2.20 - "
    "Use 'authToken' from resolvedEnv or authParams instead"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    old_token: str = param("authToken", deprecated=_OLD_TOKEN, optional=True)
    token: str = param("authToken", order=(ENV, AUTH), optional=True)
    organization: str = param("organizationName", order=(METADATA, ENV, AUTH), optional=True)
    query: str = param("query")
    version: str = param("influxVersion", default="2", enum=("2", "3"))
    kind: str = param("queryType", default="InfluxQL")
    database: str = param("database", order=(METADATA, AUTH), optional=True)
    column: str = param("metricKey", optional=True)
    url: str = param("serverURL", order=(METADATA, AUTH))
    unsafe_ssl: bool = param("unsafeSsl", optional=True)
    target: float = param("thresholdValue", optional=True)
    activation: float = param("activationThresholdValue", optional=True)

    def check(self) -> None:
        """Refuse what the version of the server needs and does not have."""
        if self.version == "2" and not self.organization:
            raise ConfigError("organizationName is required if influxVersion is 2")
        if self.version == "3":
            if not self.database:
                raise ConfigError("database is required if influxVersion is 3")
            if not self.column:
                raise ConfigError("metricKey is required if influxVersion is 3")
            if self.kind.lower() not in _KINDS:
                raise ConfigError("query type must be 'influxql' or 'flightsql'")


def first_value(table: str) -> float:
    """Return ``_value`` of the first record of Flux's CSV; raises ScalerError where none is."""
    rows = [row for row in csv.reader(table.splitlines()) if row and not row[0].startswith("#")]
    if len(rows) < 2:
        raise ScalerError("no results found from query")
    record = dict(zip(rows[0], rows[1], strict=False))
    if "error" in record:
        raise ScalerError(f"the query failed: {record['error']}")
    return number(record.get("_value"))


def last_value(rows: Any, column: str) -> float:
    """Return a column of the last row, 0 where there is no row."""
    if not isinstance(rows, list):
        raise ScalerError("the answer has no rows")
    return number(rows[-1].get(column)) if rows else 0.0


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("influxdb"):
        with parsing("influxdb"):
            settings = read_params(Settings, config)
        if not settings.target and not config.as_metric_source:
            raise ConfigError("no threshold value given")
    http = client(config, unsafe_ssl=settings.unsafe_ssl)
    base, is_old = settings.url.rstrip("/"), settings.version == "2"
    scheme = "Token" if is_old else "Bearer"
    headers = {"Authorization": f"{scheme} {settings.token}"} if settings.token else {}

    async def flux() -> float:
        asked = {"query": settings.query, "dialect": {"annotations": [], "header": True}}
        url, org = f"{base}/api/v2/query", {"org": settings.organization}
        body = await fetch(http, url, method="POST", params=org, json=asked, headers=headers)
        return first_value(body.decode())

    async def tables() -> float:
        asked = {"db": settings.database, "q": settings.query, "format": "json"}
        url = f"{base}/api/v3/{_KINDS[settings.kind.lower()]}"
        rows = await get_json(http, url, method="POST", json=asked, headers=headers)
        return last_value(rows, settings.column)

    return polled(
        config,
        f"influxdb-{settings.organization if is_old else settings.database}",
        target=settings.target,
        activation=settings.activation,
        fetch=flux if is_old else tables,
        closing=http.aclose,
        doing="error querying influxdb",
    )

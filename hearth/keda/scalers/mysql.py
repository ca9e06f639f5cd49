"""``mysql``: a number that a query returns, of MySQL or MariaDB.

Source: KEDA's ``mysql_scaler.go``. ``connectionString`` is a data source name of go-sql-driver:
``user:password@tcp(host:port)/database?parameters``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

import aiomysql

from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import Kept, number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig
from hearth.keda.scalers.tls import client_context

_PORT = 3306
_ADDRESS = re.compile(r"(?P<net>\w*)(?:\((?P<address>.*)\))?$")


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    connection: str = param("connectionString", order=(AUTH, ENV), optional=True)
    user: str = param("username", order=(METADATA, AUTH, ENV), optional=True)
    password: str = param("password", order=(AUTH, ENV), optional=True)
    host: str = param("host", order=(METADATA, AUTH), optional=True)
    port: str = param("port", order=(METADATA, AUTH), optional=True)
    database: str = param("dbName", order=(METADATA, AUTH), optional=True)
    query: str = param("query")
    target: float = param("queryValue")
    activation: float = param("activationQueryValue", default="0")
    metric: str = param("metricName", optional=True)

    def arguments(self) -> dict[str, Any]:
        """Return what the client is told; raises ConfigError, which shows no secret."""
        if self.connection:
            return arguments_of(self.connection)
        return {
            "host": self.host or "127.0.0.1",
            "port": _port(self.port),
            "user": self.user or None,
            "password": self.password,
            "db": self.database or None,
        }

    def measured(self) -> str:
        """Return the name in the metric's name: of the database, as it stands in the text."""
        return self.connection.rsplit("/", 1)[-1] if self.connection else self.database


def arguments_of(connection: str) -> dict[str, Any]:
    """Return what the client is told of a data source name."""
    before, slash, after = connection.rpartition("/")
    who, _, where = before.rpartition("@")
    found = _ADDRESS.match(where)
    if not slash or found is None:
        raise _refusal("invalid DSN: missing the slash separating the database name")
    user, _, password = who.partition(":")
    database, _, query = after.partition("?")
    made: dict[str, Any] = {"user": user or None, "password": password, "db": unquote(database)}
    if found["net"] == "unix":
        made["unix_socket"] = found["address"]
    else:
        made |= _host(found["address"] or "")
    mode = dict(parse_qsl(query)).get("tls", "false").lower()
    return {**made, **_tls(mode)}


def _host(address: str) -> dict[str, Any]:
    host, colon, port = address.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = address, ""
    return {"host": host.strip("[]") or "127.0.0.1", "port": _port(port)}


def _port(text: str) -> int:
    if text and not text.isdecimal():
        raise _refusal(f"invalid port {text!r}")
    return int(text or _PORT)


def _tls(mode: str) -> dict[str, Any]:
    if mode in ("", "false", "0", "preferred"):
        return {}
    if mode not in ("true", "1", "skip-verify"):
        raise _refusal("invalid value / unknown config name of tls")
    return {"ssl": client_context(unsafe=mode == "skip-verify")}


def _refusal(why: str) -> ConfigError:
    return ConfigError(f"error establishing MySQL connection: {why}")


def _connection(arguments: dict[str, Any]) -> Kept[Any]:
    async def connect() -> Any:
        return await aiomysql.connect(**arguments, autocommit=True)

    return Kept(connect, lambda held: held.close(), lambda held: not held.closed)


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("MySQL", "mysql"):
        settings = read_params(Settings, config)
    arguments = settings.arguments()
    kept = _connection(arguments)

    async def first(connection: Any) -> object:
        async with connection.cursor() as cursor:
            await cursor.execute(settings.query)
            row = await cursor.fetchone()
        return row[0] if row else None

    async def fetch() -> float:
        return number(await kept.ask(first))

    return polled(
        config,
        f"mysql-{settings.measured()}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=kept.close,
        doing="error inspecting MySQL",
        secrets=(arguments["password"],),
    )

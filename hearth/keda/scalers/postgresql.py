"""``postgresql``: a number that a query returns.

Source: KEDA's ``postgresql_scaler.go``. ``connection`` is a URL or libpq's ``key=value`` text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import asyncpg

from hearth.keda.scalers.azure_identity import AzureIdentity
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import Kept, need, number, parsing, password_in, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig

_AZURE = "https://ossrdbms-aad.database.windows.net/.default"
_PAIR = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?=\s|$)", re.DOTALL)
_URLS = ("postgres://", "postgresql://")
_FOR_OTHER_CLIENTS = {"connect_timeout", "default_query_exec_mode", "statement_cache_capacity"}


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    target: float = param("targetQueryValue", optional=True)
    activation: float = param("activationTargetQueryValue", optional=True)
    connection: str = param("connection", order=(AUTH, ENV), optional=True)
    query: str = param("query")
    host: str = param("host", order=(AUTH, METADATA), optional=True)
    port: str = param("port", order=(AUTH, METADATA), optional=True)
    user: str = param("userName", order=(AUTH, METADATA), optional=True)
    database: str = param("dbName", order=(AUTH, METADATA), optional=True)
    sslmode: str = param("sslmode", order=(AUTH, METADATA), optional=True)
    password: str = param("password", order=(AUTH, ENV), optional=True)

    def check(self) -> None:
        """Refuse an address that is not complete."""
        names = ("host", "port", "userName", "dbName", "sslmode")
        if not self.connection:
            need(dict(zip(names, self._address(), strict=True)))

    def _address(self) -> tuple[str, str, str, str, str]:
        return self.host, self.port, self.user, self.database, self.sslmode

    def pairs(self) -> dict[str, str]:
        """Return libpq's parameters, the URL's rest under ``url``; raises ConfigError."""
        if not self.connection:
            names = ("host", "port", "user", "dbname", "sslmode")
            return {**dict(zip(names, self._address(), strict=True)), "password": self.password}
        if self.connection.startswith(_URLS):
            return pairs_of_url(self.connection)
        return pairs_of_text(self.connection)


def pairs_of_url(connection: str) -> dict[str, str]:
    """Return the parameters of a URL; what stands before its query is ``url``."""
    before, _, query = connection.partition("?")
    return {"url": before, "password": password_in(before), **dict(parse_qsl(query))}


def pairs_of_text(connection: str) -> dict[str, str]:
    """Return the parameters of ``key=value`` text, where ``'`` quotes and a backslash escapes."""
    pairs, place = {}, 0
    while place < len(connection.rstrip()):
        found = _PAIR.match(connection, place)
        if found is None:
            raise _unreadable()
        raw = found[2][1:-1] if found[2].startswith("'") else found[2]
        pairs[found[1]] = re.sub(r"\\(.)", r"\1", raw, flags=re.DOTALL)
        place = found.end()
    return pairs


def _unreadable() -> ConfigError:
    return ConfigError(
        "error establishing postgreSQL connection: cannot parse connection: it has to be "
        "a URL that begins with postgresql:// or pairs key=value"
    )


def _connection(arguments: dict[str, Any]) -> Kept[Any]:
    async def connect() -> Any:
        return await asyncpg.connect(**arguments, statement_cache_size=0)

    return Kept(connect, lambda held: held.terminate(), lambda held: not held.is_closed())


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("postgreSQL"):
        with parsing("postgresql"):
            settings = read_params(Settings, config)
        if not settings.target and not config.as_metric_source:
            raise ConfigError("no targetQueryValue given")
    pairs = settings.pairs()
    secret = pairs.pop("password", "")
    password: Any = secret or None
    if config.pod_identity.provider == "azure-workload":
        password = AzureIdentity(config.pod_identity, _AZURE, config.timeout).token
    url = pairs.pop("url", "postgresql://")
    rest = urlencode({key: value for key, value in pairs.items() if key not in _FOR_OTHER_CLIENTS})
    kept = _connection({"dsn": f"{url}?{rest}", "password": password, "timeout": config.timeout})

    async def fetch() -> float:
        return number(await kept.ask(lambda held: held.fetchval(settings.query)))

    return polled(
        config,
        "postgresql",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=kept.close,
        doing="error inspecting postgreSQL",
        secrets=(secret,),
    )

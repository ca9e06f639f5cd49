"""``clickhouse``: a number that a query returns, by ClickHouse's own protocol.

Source: KEDA's ``clickhouse_scaler.go``. One connection is kept, whatever is said of their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from asynch import Connection

from hearth.keda.scalers.params import AUTH, ENV, METADATA, Seconds, param, read_params
from hearth.keda.scalers.polled import Kept, number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig
from hearth.keda.scalers.tls import client_context

_BOTH = (METADATA, AUTH)
_PORT, _TLS_PORT = 9000, 9440
_OF_THE_GO_CLIENT = {
    *("dial_timeout", "read_timeout", "connection_open_strategy", "block_buffer_size", "compress"),
    *("compress_level", "max_compression_buffer", "debug", "secure", "skip_verify", "username"),
    *("password", "database", "max_open_conns", "max_idle_conns", "conn_max_lifetime"),
    *("client_info_product", "alt_hosts"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    connection: str = param("connectionString", order=(AUTH, ENV), optional=True)
    host: str = param("host", order=_BOTH, optional=True)
    port: str = param("port", order=_BOTH, default="9000")
    user: str = param("username", order=(*_BOTH, ENV), default="default")
    password: str = param("password", order=(AUTH, ENV), optional=True)
    database: str = param("database", order=_BOTH, default="default")
    query: str = param("query")
    target: float = param("targetQueryValue")
    activation: float = param("activationTargetQueryValue", default="0")
    most_idle: int = param("maxIdleConns", order=_BOTH, optional=True)
    most_open: int = param("maxOpenConns", order=_BOTH, optional=True)
    lifetime: Seconds = param("connMaxLifetime", order=_BOTH, optional=True)
    tls: bool = param("tls", order=(AUTH,), default="false")
    cert: str = param("cert", order=(AUTH,), optional=True)
    key: str = param("key", order=(AUTH,), optional=True)
    key_password: str = param("keyPassword", order=(AUTH,), optional=True)
    ca: str = param("ca", order=(AUTH,), optional=True)
    unsafe_ssl: bool = param("unsafeSsl", order=(AUTH,), default="false")

    def arguments(self) -> dict[str, Any]:
        """Return what the client is told; raises ConfigError, which shows no secret."""
        if self.connection:
            return {"secure": self.tls, **arguments_of(self.connection)}
        if not self.port.isdecimal():
            raise _refusal(f"invalid port {self.port!r}")
        return {
            "host": self.host,
            "port": int(self.port),
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "secure": self.tls,
        }


def arguments_of(connection: str) -> dict[str, Any]:
    """Return what the client is told of a connection string, a URL."""
    try:
        parts = urlsplit(connection)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _refusal("failed to parse connection string") from None
    if parts.scheme not in ("clickhouse", "tcp") or not host:
        raise _refusal("failed to parse connection string: it begins with clickhouse:// or tcp://")
    said = dict(parse_qsl(parts.query))
    secure = said.get("secure", "").lower() in ("1", "t", "true")
    made = {
        "host": host,
        "port": port or (_TLS_PORT if secure else _PORT),
        "user": unquote(parts.username or said.get("username", "default")),
        "password": unquote(parts.password or said.get("password", "")),
        "database": unquote(parts.path.lstrip("/")) or said.get("database", "default"),
        "settings": {key: value for key, value in said.items() if key not in _OF_THE_GO_CLIENT},
    }
    if secure:
        made |= {"secure": True, "verify": said.get("skip_verify", "").lower() != "true"}
    return made


def _refusal(why: str) -> ConfigError:
    return ConfigError(f"error establishing clickhouse connection: {why}")


def _checked(settings: Settings, config: TriggerConfig) -> None:
    if not settings.target and not config.as_metric_source:
        raise ConfigError("targetQueryValue is required when not using scaler as metric source")
    if not settings.connection and not settings.host:
        raise ConfigError("either connectionString or host must be set")
    if settings.tls and bool(settings.cert) != bool(settings.key):
        raise ConfigError("both cert and key must be provided when TLS is enabled")


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("clickhouse"):
        with parsing("clickhouse"):
            settings = read_params(Settings, config)
        _checked(settings, config)
    arguments = settings.arguments()
    verify = arguments.pop("verify", True) and not settings.unsafe_ssl
    context = client_context(
        ca=settings.ca,
        cert=settings.cert,
        key=settings.key,
        key_password=settings.key_password,
        unsafe=not verify,
    )

    async def connect() -> Connection:
        made = Connection(**arguments, connect_timeout=config.timeout)
        # It takes authorities as a file only, and no certificate of a client.
        within: Any = made._connection
        within._get_ssl_context = lambda: context if arguments["secure"] else None
        await made.connect()
        return made

    kept = Kept(connect, Connection.close)

    async def first(connection: Connection) -> float:
        async with connection.cursor() as cursor:
            await cursor.execute(settings.query)
            row = await cursor.fetchone()
        return number(row[0]) if row else 0.0

    return polled(
        config,
        "clickhouse",
        target=settings.target,
        activation=settings.activation,
        fetch=lambda: kept.ask(first),
        closing=kept.close,
        doing="error inspecting ClickHouse",
        secrets=(arguments["password"],),
    )

"""Connections to Redis: to one server, a cluster, or to what sentinels say is the master."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from hearth.keda.scalers.params import AUTH, ENV, METADATA, param
from hearth.keda.scalers.seam import ConfigError, TriggerConfig
from hearth.keda.scalers.tls import client_context, secret_file
from hearth.kube.gotext import parse_bool

_FIRST_AUTH, _FIRST_ENV = (METADATA, AUTH, ENV), (METADATA, ENV, AUTH)
_ENABLED = {"enable": True, "disable": False}


@dataclass(frozen=True)
class Connection:
    """Settings that those of a trigger inherit."""

    addresses: list[str] = param("address", "addresses", order=_FIRST_AUTH, optional=True)
    username: str = param("username", order=_FIRST_ENV, optional=True)
    password: str = param("password", order=_FIRST_ENV, optional=True)
    sentinel_username: str = param("sentinelUsername", order=_FIRST_AUTH, optional=True)
    sentinel_password: str = param("sentinelPassword", order=_FIRST_AUTH, optional=True)
    sentinel_master: str = param("sentinelMaster", order=_FIRST_AUTH, optional=True)
    hosts: list[str] = param("host", "hosts", order=_FIRST_ENV, optional=True)
    ports: list[str] = param("port", "ports", order=_FIRST_ENV, optional=True)
    unsafe_ssl: bool = param("unsafeSsl", default="false")
    cert: str = param("Cert", "cert", order=(AUTH,), optional=True)
    key: str = param("key", order=(AUTH,), optional=True)
    key_password: str = param("keyPassword", order=(AUTH,), optional=True)
    ca: str = param("ca", order=(AUTH,), optional=True)
    database: int = param("databaseIndex", optional=True)
    enable_tls: str = param("enableTLS", optional=True)
    tls: str = param("tls", order=(AUTH,), optional=True)

    def check(self) -> None:
        """Raises ConfigError for no addresses, addresses that are none, and TLS said twice."""
        if self.hosts and self.ports and len(self.hosts) != len(self.ports):
            raise ConfigError(
                "not enough hosts or ports given. number of hosts should be equal to the number "
                "of ports"
            )
        if not self.endpoints:
            raise ConfigError(
                "no addresses or hosts given. address should be a comma separated list of "
                "host:port or set the host/port values"
            )
        if self.is_encrypted:
            client_context(ca=self.ca, cert=self.cert, key=self.key, key_password=self.key_password)

    @property
    def endpoints(self) -> list[tuple[str, int]]:
        """Hosts and ports. Raises ConfigError."""
        paired = [f"{host}:{port}" for host, port in zip(self.hosts, self.ports, strict=False)]
        return [_split(address) for address in self.addresses + paired if address]

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken. Raises ConfigError."""
        if self.enable_tls and self.tls:
            raise ConfigError(
                "unable to set `tls` in both ScaledObject and TriggerAuthentication together"
            )
        if self.tls and self.tls not in _ENABLED:
            raise ConfigError(f"error incorrect TLS value given, got {self.tls}")
        try:
            return _ENABLED.get(self.tls, bool(self.enable_tls) and parse_bool(self.enable_tls))
        except ValueError as error:
            raise ConfigError(f"EnableTLS parsing error {error}") from None


def _split(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        raise ConfigError(f"address {address}: missing port in address")
    return host.strip("[]"), int(port)


class Server:
    """A client of the kind that the trigger's type names, made at the first use."""

    def __init__(self, settings: Connection, config: TriggerConfig) -> None:
        self._settings, self._timeout, self._kind = settings, config.timeout, config.type
        self._held = contextlib.AsyncExitStack()
        self._client: Any = None

    @property
    def client(self) -> Any:
        """What commands are given to; it connects, and connects again, by itself."""
        if self._client is None:
            if "cluster" in self._kind:
                self._client = self._cluster()
            elif "sentinel" in self._kind:
                self._client = self._behind_sentinels()
            else:
                host, port = self._settings.endpoints[0]
                self._client = Redis(
                    host=host, port=port, db=self._settings.database, **self._common()
                )
            self._held.push_async_callback(self._client.aclose)
        return self._client

    async def close(self) -> None:
        """Let go of connections."""
        await self._held.aclose()

    def _cluster(self) -> RedisCluster:
        nodes = [ClusterNode(host, port) for host, port in self._settings.endpoints]
        return RedisCluster(startup_nodes=nodes, **self._common())

    def _behind_sentinels(self) -> Any:
        settings, common = self._settings, self._common()
        asked = {
            **common,
            "username": settings.sentinel_username or None,
            "password": settings.sentinel_password or None,
        }
        sentinel = Sentinel(  # type: ignore[no-untyped-call]
            settings.endpoints, sentinel_kwargs=asked, **common
        )
        for each in sentinel.sentinels:
            self._held.push_async_callback(each.aclose)
        return sentinel.master_for(settings.sentinel_master, db=settings.database)

    def _common(self) -> dict[str, Any]:
        settings = self._settings
        common = {
            "username": settings.username or None,
            "password": settings.password or None,
            "socket_timeout": self._timeout,
            "socket_connect_timeout": self._timeout,
            "retry": Retry(NoBackoff(), 1),
        }
        return {**common, **self._tls()} if settings.is_encrypted else common

    def _tls(self) -> dict[str, Any]:
        settings = self._settings
        said: dict[str, Any] = {
            "ssl": True,
            "ssl_ca_data": settings.ca or None,
            "ssl_cert_reqs": "none" if settings.unsafe_ssl else "required",
            "ssl_check_hostname": not settings.unsafe_ssl,
        }
        if settings.cert and settings.key:
            pair = self._held.enter_context(secret_file(f"{settings.cert}\n{settings.key}\n"))
            said |= {"ssl_certfile": pair, "ssl_password": settings.key_password or None}
        return said

"""``mongodb``: how many documents a query finds. Source: KEDA's ``mongo_scaler.go``."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bson import json_util
from pymongo import AsyncMongoClient

from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import need, parsing, password_in, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig

_SRV = "mongodb+srv"
_BOTH = (AUTH, METADATA)


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    connection: str = param("connectionString", order=(AUTH, METADATA, ENV), optional=True)
    scheme: str = param("scheme", order=_BOTH, default="mongodb")
    host: str = param("host", order=_BOTH, optional=True)
    port: str = param("port", order=_BOTH, optional=True)
    user: str = param("username", order=_BOTH, optional=True)
    password: str = param("password", order=(AUTH, METADATA, ENV), optional=True)
    database: str = param("dbName", order=_BOTH)
    collection: str = param("collection")
    query: str = param("query")
    target: float = param("queryValue")
    activation: float = param("activationQueryValue", default="0")
    tls: str = param("tls", order=(AUTH,), enum=("enable", "disable"), default="disable")
    cert: str = param("cert", order=(AUTH,), optional=True)
    key: str = param("key", order=(AUTH,), optional=True)
    key_password: str = param("keyPassword", order=(AUTH,), optional=True)
    ca: str = param("ca", order=(AUTH,), optional=True)

    def check(self) -> None:
        """Refuse an address that is not complete, and half of a client's certificate."""
        needed = {
            "host": self.host,
            "port": self.port or self.scheme == _SRV,
            "username": self.user,
            "password": self.password,
        }
        if not self.connection:
            need(needed)
        if self.tls == "enable" and not (self.cert or self.key or self.ca):
            raise ConfigError(
                "at least one of cert, key, or ca must be provided when TLS is enabled"
            )
        if self.tls == "enable" and bool(self.cert) != bool(self.key):
            raise ConfigError("both cert and key must be provided when using client certificates")

    def uri(self) -> str:
        """Return where the server is."""
        host = self.host if self.scheme == _SRV else f"{self.host}:{self.port}"
        who = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return self.connection or f"{self.scheme}://{who}@{host}/{self.database}"


def filter_of(query: str) -> Mapping[str, Any]:
    """Return the query, which is MongoDB's extended JSON; raises ScalerError."""
    try:
        found = json_util.loads(query)
    except Exception as error:  # bson has its own for each type it cannot read
        raise ScalerError(f"failed to parse query: {error}") from None
    if not isinstance(found, dict) or not found:
        raise ScalerError("failed to parse query: empty bson document")
    return found


@contextlib.contextmanager
def _tls_files(settings: Settings) -> Iterator[dict[str, Any]]:
    """The client's options of TLS; it reads the files while it is made, and no later."""
    if settings.tls == "disable":
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"tls": True}
        for option, text in {
            "tlsCAFile": settings.ca,
            "tlsCertificateKeyFile": f"{settings.cert}\n{settings.key}".strip(),
        }.items():
            if text:
                options[option] = os.path.join(folder, option)
                with open(options[option], "w", opener=_private) as file:
                    file.write(text)
        if settings.key_password:
            options["tlsCertificateKeyFilePassword"] = settings.key_password
        yield options


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("mongodb", "mongodb"):
        settings = read_params(Settings, config)
    kept: list[Any] = []

    async def fetch() -> float:
        wanted = filter_of(settings.query)
        if not kept:
            kept.append(_client(settings, config.timeout))
        collection = kept[0][settings.database][settings.collection]
        return float(await collection.count_documents(wanted))

    async def close() -> None:
        for each in kept:
            await each.close()

    return polled(
        config,
        f"mongodb-{settings.collection}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=close,
        doing="failed to inspect mongodb",
        secrets=(settings.password, password_in(settings.uri())),
    )


def _client(settings: Settings, timeout: float) -> Any:
    limit = int(timeout * 1000)
    with _tls_files(settings) as tls:
        return AsyncMongoClient(
            settings.uri(),
            serverSelectionTimeoutMS=limit,
            connectTimeoutMS=limit,
            appname="hearth",
            **tls,
        )

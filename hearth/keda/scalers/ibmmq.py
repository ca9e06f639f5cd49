"""``ibmmq``: the depth of queues of IBM MQ, by its administrative REST API.

Source: KEDA's ``ibmmq_scaler.go``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from hearth.keda.scalers.http import Answer, answer, client
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig

_WHO = (AUTH, ENV, METADATA)
_ANSWERED = (200, 401, 404)


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    host: str = param("host")
    queues: list[str] = param("queueName", "queueNames")
    target: int = param("queueDepth", default="20")
    activation: int = param("activationQueueDepth", default="0")
    operation: str = param("operation", enum=("max", "avg", "sum"), default="max")
    user: str = param("username", order=_WHO)
    password: str = param("password", order=_WHO)
    unsafe_ssl: bool = param("unsafeSsl", default="false")
    ca: str = param("ca", order=(AUTH,), optional=True)
    cert: str = param("cert", order=(AUTH,), optional=True)
    key: str = param("key", order=(AUTH,), optional=True)
    key_password: str = param("keyPassword", order=(AUTH,), optional=True)

    def check(self) -> None:
        """Refuse an address that is none, and half of a client's certificate."""
        if not urlsplit(self.host).netloc:
            raise ConfigError(f'invalid URL: parse "{self.host}": invalid URI for request')
        if bool(self.cert) != bool(self.key):
            raise ConfigError("both cert and key must be provided when using TLS")

    def combined(self, depths: list[float]) -> float:
        """Return the greatest depth, the sum or the average."""
        if self.operation == "max":
            return max(depths)
        total = sum(depths)
        return total // len(depths) if self.operation == "avg" else total


def depth_of(found: Answer, queue: str) -> float:
    """Return the depth in an answer; raises ScalerError for what MQ has to say instead."""
    if found.status == 401:
        raise ScalerError("authentication failed: incorrect username or password")
    missing = f"failed to get the current queue depth parameter for queue {queue}"
    said = found.json()
    if found.status == 404:
        raise ScalerError(next((e["message"] for e in said.get("error", ())), "") or missing)
    first: dict[str, Any] = next(iter(said.get("commandResponse") or ()), {})
    if first.get("message"):
        raise ScalerError(first["message"][0])
    if not first.get("parameters"):
        raise ScalerError(missing)
    return number(first["parameters"].get("curdepth", 0))


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("IBM MQ"):
        settings = read_params(Settings, config)
    http = client(
        config,
        unsafe_ssl=settings.unsafe_ssl,
        ca=settings.ca,
        cert=settings.cert,
        key=settings.key,
        key_password=settings.key_password,
        headers={"ibm-mq-rest-csrf-token": "value"},
    )
    http.auth = httpx.BasicAuth(settings.user, settings.password)
    command = {"type": "runCommandJSON", "command": "display", "qualifier": "qlocal"}

    async def depth(queue: str) -> float:
        asked = {**command, "name": queue, "responseParameters": ["CURDEPTH"]}
        found = await answer(http, settings.host, method="POST", json=asked, ok=_ANSWERED)
        return depth_of(found, queue)

    async def fetch() -> float:
        return settings.combined([await depth(queue) for queue in settings.queues])

    return polled(
        config,
        f"ibmmq-{settings.queues[0]}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error inspecting IBM MQ queue depth",
    )

"""``etcd``: the number that a key holds, read at each poll and heard of when it changes.

Source: KEDA's ``etcd_scaler.go``. etcd's own gateway is used (its API as JSON over HTTP), which
every etcd from 3.4 on serves where it serves gRPC.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import httpx

from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import AUTH, ENV, param, read_params
from hearth.keda.scalers.polled import Polled, number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, MetricSpec, Scaler, ScalerError, TriggerConfig

_T = TypeVar("_T")
_NOTIFIES = 2  # intervals in which a quiet watch has to be told so


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    endpoints: list[str] = param("endpoints")
    watch_key: str = param("watchKey")
    target: float = param("value")
    activation: float = param("activationValue", default="0")
    notify_interval: int = param("watchProgressNotifyInterval", default="600")
    user: str = param("username", order=(AUTH, ENV), optional=True)
    password: str = param("password", order=(AUTH, ENV), optional=True)
    tls: str = param("tls", order=(AUTH,), default="disable")
    cert: str = param("cert", order=(AUTH,), optional=True)
    key: str = param("key", order=(AUTH,), optional=True)
    key_password: str = param("keyPassword", order=(AUTH,), optional=True)
    ca: str = param("ca", order=(AUTH,), optional=True)

    def check(self) -> None:
        """Refuse halves: of a client's certificate, of a user."""
        if self.notify_interval <= 0:
            raise ConfigError("watchProgressNotifyInterval must be greater than 0")
        if self.tls not in ("enable", "disable"):
            raise ConfigError(f"incorrect value for TLS given: {self.tls}")
        if self.tls == "enable" and self.key and not self.cert:
            raise ConfigError("cert must be provided with key")
        if self.tls == "enable" and self.cert and not self.key:
            raise ConfigError("key must be provided with cert")
        if self.password and not self.user:
            raise ConfigError("username must be provided with password")
        if self.user and not self.password:
            raise ConfigError("password must be provided with username")

    def urls(self) -> list[str]:
        """Return the endpoints as URLs."""
        scheme = "https" if self.tls == "enable" else "http"
        return [each if "://" in each else f"{scheme}://{each}" for each in self.endpoints]


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(value: str) -> str:
    return base64.b64decode(value).decode(errors="replace")


def value_of(answer: Any, key: str) -> float:
    """Return the number in the answer to a range request."""
    found = answer.get("kvs")
    if not found:
        raise ScalerError(f"watchKey {key} doesn't exist")
    return number(_text(found[0].get("value", "")))


def changes_in(message: Any, activation: float) -> list[bool]:
    """Return whether there is work after each event of a watch; a value that is none is 0."""
    if "error" in message:
        raise ScalerError(f"the watch ended: {message['error'].get('message', 'error')}")
    result = message.get("result", {})
    if result.get("canceled"):
        raise ScalerError(f"the watch ended: {result.get('cancel_reason') or 'cancelled'}")
    return [_activity(event.get("kv", {}), activation) for event in result.get("events", ())]


def _activity(pair: Any, activation: float) -> bool:
    try:
        return float(_text(pair.get("value", ""))) > activation
    except ValueError:
        return activation < 0.0


class Gateway:
    """Several endpoints: the one that answered last is asked first."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._settings, self._http = settings, http
        self._urls = settings.urls()

    async def each(self, ask: Callable[[str, dict[str, str]], Awaitable[_T]]) -> _T:
        """Return the first answer; raises what the last endpoint had where none answers."""
        failure: Exception = ScalerError("no endpoint given")
        for url in list(self._urls):
            try:
                answer = await ask(url, await self.headers(url))
            except (ScalerError, httpx.HTTPError) as error:
                failure = error
                self._urls.append(self._urls.pop(0))
            else:
                return answer
        raise failure

    async def headers(self, url: str) -> dict[str, str]:
        """Return the token of the user, of which etcd gives one for a few minutes."""
        if not self._settings.user:
            return {}
        who = {"name": self._settings.user, "password": self._settings.password}
        answer = await get_json(self._http, f"{url}/v3/auth/authenticate", method="POST", json=who)
        return {"Authorization": str(answer["token"])}

    async def value(self, url: str, headers: dict[str, str]) -> float:
        """Read the key."""
        key = self._settings.watch_key
        asked = {"key": _b64(key)}
        answer = await get_json(
            self._http, f"{url}/v3/kv/range", method="POST", json=asked, headers=headers
        )
        return value_of(answer, key)

    async def changes(self) -> AsyncGenerator[bool, None]:
        """Yield whether there is work at each change of the key; raises ScalerError at the end."""
        settings = self._settings
        asked = {"create_request": {"key": _b64(settings.watch_key), "progress_notify": True}}
        quiet = httpx.Timeout(5.0, read=_NOTIFIES * settings.notify_interval)
        url = await self.each(self._alive)
        headers = {**await self.headers(url), "Grpc-Metadata-hasleader": "true"}
        watching = self._http.stream(
            "POST", f"{url}/v3/watch", json=asked, headers=headers, timeout=quiet
        )
        async with watching as answer:
            if answer.status_code != 200:
                raise ScalerError(f"status {answer.status_code}")
            lines = cast(AsyncGenerator[str, None], answer.aiter_lines())
            async with contextlib.aclosing(lines):
                async for line in lines:
                    for active in changes_in(json.loads(line), settings.activation):
                        yield active
        raise ScalerError("the watch ended")

    async def _alive(self, url: str, headers: dict[str, str]) -> str:
        await get_json(self._http, f"{url}/version")
        return url


class Etcd:
    """A scaler that is asked, and that hears of changes as well."""

    def __init__(self, asked: Polled, gateway: Gateway) -> None:
        self._asked, self._gateway = asked, gateway
        self.read, self.close = asked.read, asked.close

    @property
    def spec(self) -> MetricSpec:
        """The metric."""
        return self._asked.spec

    async def activity(self) -> AsyncIterator[bool]:
        """Yield whether there is work, at each change; raises ScalerError when cut off."""
        try:
            async with contextlib.aclosing(self._gateway.changes()) as changes:
                async for active in changes:
                    yield active
        except (ScalerError, httpx.HTTPError, ValueError) as error:
            raise self._asked.failure(error) from None


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("kubernetes workload", "redis"):  # as KEDA has it
        settings = read_params(Settings, config)
    own = (settings.ca, settings.cert, settings.key, settings.key_password)
    ca, cert, key, key_password = own if settings.tls == "enable" else ("",) * 4
    http = client(config, ca=ca, cert=cert, key=key, key_password=key_password)
    gateway = Gateway(settings, http)
    asked = polled(
        config,
        f"etcd-{settings.watch_key}",
        target=settings.target,
        activation=settings.activation,
        fetch=lambda: gateway.each(gateway.value),
        closing=http.aclose,
        doing="error getting metric value",
    )
    return Etcd(asked, gateway)

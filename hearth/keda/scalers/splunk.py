"""``splunk``: a field of a saved search's result. Source: KEDA's ``splunk_scaler.go``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import httpx

from hearth.keda.scalers.http import client, fetch
from hearth.keda.scalers.params import AUTH, param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    token: str = param("apiToken", order=(AUTH,), optional=True)
    password: str = param("password", order=(AUTH,), optional=True)
    user: str = param("username", order=(AUTH,))
    host: str = param("host")
    unsafe_ssl: bool = param("unsafeSsl", optional=True)
    target: int = param("targetValue")
    activation: int = param("activationValue")
    search: str = param("savedSearchName")
    field: str = param("valueField")


def value_of(text: str, field: str) -> float:
    """Return a field of the first result of an export, which is one JSON object a line."""
    try:
        result = json.loads(text.strip().splitlines()[0]).get("result") or {}
    except (ValueError, IndexError, AttributeError):
        result = {}
    if field not in result:
        raise ScalerError(f"field: {field} not found in search results")
    return number(result[field])


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("Splunk"):
        with parsing("splunk"):
            settings = read_params(Settings, config)
        if not urlsplit(settings.host).netloc:
            raise ConfigError(
                "invalid value for host. Must be a valid URL such as https://localhost:8089"
            )
    if settings.token and settings.password:
        raise ConfigError(
            "API token and Password were all set. If APIToken is set, username and password "
            "must not be used"
        )
    http = client(config, unsafe_ssl=settings.unsafe_ssl)
    headers = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
    if not settings.token:
        http.auth = httpx.BasicAuth(settings.user, settings.password)
    url = f"{settings.host}/servicesNS/{quote(settings.user, safe='')}/search/search/jobs/export"
    search = f"search=savedsearch {settings.search}".encode()
    headers["Content-Type"] = "application/x-www-form-urlencoded"

    async def ask() -> float:
        form = {"output_mode": "json"}
        body = await fetch(http, url, method="POST", params=form, content=search, headers=headers)
        return value_of(body.decode(), settings.field)

    return polled(
        config,
        f"splunk-{settings.search}",
        target=settings.target,
        activation=settings.activation,
        fetch=ask,
        closing=http.aclose,
        doing="error fetching saved search data from splunk",
    )

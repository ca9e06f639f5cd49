"""``solr``: how many documents a query finds. Source: KEDA's ``solr_scaler.go``."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import AUTH, METADATA, param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    host: str = param("host")
    collection: str = param("collection")
    target: float = param("targetQueryValue")
    activation: float = param("activationTargetQueryValue", default="0")
    query: str = param("query", default="*:*")
    user: str = param("username", order=(AUTH, METADATA))
    password: str = param("password", order=(AUTH, METADATA))


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("Solr"):
        with parsing("solr"):
            settings = read_params(Settings, config)
        if not settings.target and not config.as_metric_source:
            raise ConfigError("no targetQueryValue given")
    http = client(config)
    http.auth = httpx.BasicAuth(settings.user, settings.password)
    url = f"{settings.host}/solr/{settings.collection}/select"

    async def fetch() -> float:
        answer = await get_json(http, url, params={"q": settings.query, "wt": "json"})
        return number(answer["response"]["numFound"])

    return polled(
        config,
        "solr",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="failed to inspect solr, because of",
    )

"""``new-relic``: the first number of the first row of an NRQL query.

Source: KEDA's ``newrelic_scaler.go``; the query goes to NerdGraph (GraphQL), as its client has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import AUTH, METADATA, param, read_params
from hearth.keda.scalers.polled import parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig

_BOTH = (AUTH, METADATA)
_URLS = {
    "us": "https://api.newrelic.com/graphql",
    "eu": "https://api.eu.newrelic.com/graphql",
    "staging": "https://staging-api.newrelic.com/graphql",
    "local": "http://localhost:3000/graphql",
}
_QUERY = (
    "query($accountId: Int!, $query: Nrql!) "
    "{ actor { account(id: $accountId) { nrql(query: $query) { results } } } }"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    account: int = param("account", order=_BOTH)
    region: str = param("region", order=_BOTH, default="US")
    key: str = param("queryKey", order=_BOTH)
    no_data_error: bool = param("noDataError", default="false")
    nrql: str = param("nrql")
    target: float = param("threshold")
    activation: float = param("activationThreshold", default="0")


def value_of(found: Any, settings: Settings) -> float:
    """Return the first number of the first row; nothing is 0, or an error where it must not be."""
    if found.get("errors"):
        raise ScalerError(
            f"error running NRQL {settings.nrql}: {found['errors'][0].get('message')}"
        )
    rows = found["data"]["actor"]["account"]["nrql"]["results"]
    row = rows[0].values() if rows else ()
    numbers = [float(each) for each in row if type(each) in (int, float)]
    if not numbers and settings.no_data_error:
        kind = "numeric results" if rows else "results"
        raise ScalerError(f"query returned no {kind}: {settings.nrql}")
    return numbers[0] if numbers else 0.0


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("new-relic", "newrelic"):
        settings = read_params(Settings, config)
    url = _URLS.get(settings.region.lower())
    if url is None:
        raise ConfigError(f"error initializing client: invalid region: {settings.region}")
    http = client(config, headers={"Api-Key": settings.key})
    asked = {"accountId": settings.account, "query": settings.nrql}

    async def fetch() -> float:
        body = {"query": _QUERY, "variables": asked}
        return value_of(await get_json(http, url, method="POST", json=body), settings)

    return polled(
        config,
        "new-relic",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error executing NRQL query",
    )

"""``elasticsearch`` and ``opensearch``: a number out of the answer of a search or search template.

Source: KEDA's ``elasticsearch_scaler.go`` and ``opensearch_scaler.go``. Of several addresses the
first that answers is taken.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import httpx

from hearth.keda.scalers.http import answer, client
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.paths import MISSING, lookup
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig

_JSON = {"Content-Type": "application/json"}
_REFUSALS = {
    401: "authentication failed (HTTP 401): check username and password",
    403: "authorization failed (HTTP 403): user has insufficient permissions",
}
_ANSWERED = (200, *_REFUSALS)
_BOTH, _ANY = (AUTH, METADATA), (AUTH, ENV, METADATA)


@dataclass(frozen=True, slots=True)
class Search:
    """Parameters that both types have."""

    unsafe_ssl: bool = param("unsafeSsl", default="false")
    user: str = param("username", order=_BOTH, optional=True)
    password: str = param("password", order=_ANY, optional=True)
    index: list[str] = param("index", order=_BOTH, separator=";")
    template: str = param("searchTemplateName", order=_BOTH, optional=True)
    query: str = param("query", order=_BOTH, optional=True)
    parameters: list[str] = param("parameters", optional=True, separator=";")
    location: str = param("valueLocation", order=_BOTH)
    target: float = param("targetValue", order=_BOTH)
    activation: float = param("activationTargetValue", default="0")
    ignore_null: bool = param("ignoreNullValues", default="false")
    metric: str = param("metricName", optional=True)

    def check(self) -> None:
        """Refuse what says neither or both of what is searched."""
        if not self.template and not self.query:
            raise ConfigError("either searchTemplateName or query must be provided")
        if self.template and self.query:
            raise ConfigError("cannot provide both searchTemplateName and query")

    def body(self) -> str:
        """Return what is sent; raises ScalerError for parameters of no name or value."""
        if not self.template:
            return self.query
        values = dict(_parameter(each) for each in self.parameters if each)
        return json.dumps({"id": self.template, **({"params": values} if values else {})})


def _parameter(text: str) -> tuple[str, str]:
    key, _, value = (part.strip() for part in text.partition(":"))
    if not key or not value:
        raise ScalerError(f'invalid parameter format "{text}", expected key:value')
    return key, value


@dataclass(frozen=True, slots=True)
class Elasticsearch(Search):
    """Parameters of ``elasticsearch``."""

    addresses: list[str] = param("addresses", order=_BOTH, optional=True)
    cloud: str = param("cloudID", order=_BOTH, optional=True)
    api_key: str = param("apiKey", order=_BOTH, optional=True)

    def check(self) -> None:
        """Refuse anything but an address with its user, or a cloud with its key."""
        own = bool(self.addresses or self.user or self.password)
        if (self.cloud or self.api_key) and own:
            raise ConfigError("can't provide both cloud config and endpoint addresses")
        if not (self.cloud or self.api_key or own):
            raise ConfigError("must provide either cloud config or endpoint addresses")
        if bool(self.cloud) != bool(self.api_key):
            raise ConfigError(
                "both cloudID and apiKey must be provided when cloudID or apiKey is used"
            )
        if self.addresses and not (self.user and self.password):
            raise ConfigError("both username and password must be provided when addresses is used")
        Search.check(self)


@dataclass(frozen=True, slots=True)
class OpenSearch(Search):
    """Parameters of ``opensearch``."""

    addresses: list[str] = param("addresses", order=_BOTH)
    enable_tls: bool = param("enableTLS", order=(METADATA, AUTH), default="false")
    ca: str = param("caCert", order=_BOTH, optional=True)
    cert: str = param("clientCert", order=_BOTH, optional=True)
    key: str = param("clientKey", order=_BOTH, optional=True)

    def check(self) -> None:
        """Refuse what names nobody."""
        if self.enable_tls and not (self.cert and self.key):
            raise ConfigError(
                "both clientCert and clientKey must be provided when enableTLS is true"
            )
        if not self.enable_tls and not (self.user and self.password):
            raise ConfigError("both username and password must be provided for basic auth")
        Search.check(self)


def cloud_address(cloud: str) -> str:
    """Return the address in a cloud's id: ``name:base64(host$cluster$...)``."""
    try:
        host, cluster = base64.b64decode(cloud.rpartition(":")[2]).decode().split("$")[:2]
    except ValueError:
        raise ConfigError("error getting elasticsearch client: cannot parse cloudID") from None
    host, colon, port = host.partition(":")
    return f"https://{cluster}.{host}{colon}{port}"


def value_of(found: Any, location: str, ignore_null: bool) -> float:
    """Return the number at a place of an answer."""
    value = lookup(found, location)
    if value is None or value is MISSING:
        if ignore_null:
            return 0.0
        raise ScalerError("valueLocation must point to value of type number but got: 'Null'")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        kind = "True" if value is True else "False" if value is False else "JSON"
        raise ScalerError(f"valueLocation must point to value of type number but got: '{kind}'")
    return number(value)


def make_elasticsearch(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger of ``elasticsearch``; raises ConfigError."""
    with parsing("elasticsearch"):
        settings = read_params(Elasticsearch, config)
    headers = {"Authorization": f"ApiKey {settings.api_key}"} if settings.api_key else {}
    http = client(config, unsafe_ssl=settings.unsafe_ssl, headers=headers)
    addresses = [cloud_address(settings.cloud)] if settings.cloud else settings.addresses
    return _scaler(config, settings, http, addresses)


def make_opensearch(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger of ``opensearch``; raises ConfigError."""
    try:
        settings = read_params(OpenSearch, config)
    except ConfigError as error:
        raise ConfigError(f"failed to parse opensearch metadata: {error}") from error
    cert, key = (settings.cert, settings.key) if settings.enable_tls else ("", "")
    http = client(config, unsafe_ssl=settings.unsafe_ssl, ca=settings.ca, cert=cert, key=key)
    return _scaler(config, settings, http, settings.addresses)


def _scaler(
    config: TriggerConfig, settings: Search, http: httpx.AsyncClient, addresses: list[str]
) -> Scaler:
    path = "_search/template" if settings.template else "_search"
    urls = [f"{each.rstrip('/')}/{','.join(settings.index)}/{path}" for each in addresses]
    if settings.user:
        http.auth = httpx.BasicAuth(settings.user, settings.password)

    async def fetch() -> float:
        found = await _search(http, urls, settings.body(), config.type)
        return value_of(found, settings.location, settings.ignore_null)

    return polled(
        config,
        f"{config.type}-{settings.template or 'query'}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing=f"error inspecting {config.type}",
    )


async def _search(http: httpx.AsyncClient, urls: list[str], body: str, kind: str) -> Any:
    """Ask one address after the other; a refusal of one is all that need be known."""
    failure = ScalerError("no address given")
    for url in urls:
        try:
            found = await answer(
                http, url, method="POST", content=body.encode(), headers=_JSON, ok=_ANSWERED
            )
        except ScalerError as error:
            failure = error
            continue
        if found.status in _REFUSALS:
            raise ScalerError(f"{kind} {_REFUSALS[found.status]}")
        return found.json()
    raise failure

"""metrics-api: a number in what an application answers; of one URL, or of each pod of a Service."""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.keda.scalers import http
from hearth.keda.scalers.authentication import Authentication
from hearth.keda.scalers.catalog import Shared, needed
from hearth.keda.scalers.params import Seconds, param, read_params
from hearth.keda.scalers.polled import Polled, parsing, polled
from hearth.keda.scalers.seam import ConfigError, ScalerError, TriggerConfig
from hearth.keda.scalers.values import value_at
from hearth.kube.client import KubeClient
from hearth.kube.resources import ENDPOINTSLICES

_AT_ONCE = 5
_PORTS = {"https": 443}
_AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "average": lambda values: sum(values) / len(values),
    "sum": sum,
    "max": max,
    "min": min,
}


@dataclass(frozen=True)
class _Settings(Authentication):
    target: float = param("targetValue", optional=True)
    activation: float = param("activationTargetValue", default="0")
    url: str = param("url")
    format: str = param("format", default="json", enum=("prometheus", "json", "xml", "yaml"))
    location: str = param("valueLocation")
    unsafe_ssl: bool = param("unsafeSsl", default="false")
    aggregate: bool = param("aggregateFromKubeServiceEndpoints", default="false")
    aggregation: str = param("aggregationType", default="average", enum=tuple(_AGGREGATES))
    timeout: Seconds = param("timeout", optional=True)


def make(config: TriggerConfig, shared: Shared) -> Polled:
    """Return the scaler of a ``metrics-api`` trigger. Raises ConfigError."""
    with parsing("metric API"):
        with parsing("metrics API"):
            settings = read_params(_Settings, config)
        if settings.target == 0 and not config.as_metric_source:
            raise ConfigError("no targetValue given in metadata")
    kube = needed(shared) if settings.aggregate else None
    client = http.client(
        config, unsafe_ssl=settings.unsafe_ssl, timeout=settings.timeout, auth=settings
    )
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(url: str) -> float:
        async with limit:
            body = await http.fetch(client, url, ok=(200,))
        try:
            return value_at(body, settings.location, settings.format)
        except ValueError as error:
            raise ScalerError(str(error)) from None

    async def fetch() -> float:
        if kube is None:
            return await one(settings.url)
        urls = await _endpoints(kube, settings.url)
        if not urls:
            raise ScalerError("no endpoints URLs were given for the service name")
        found = await asyncio.gather(*map(one, urls), return_exceptions=True)
        values = [each for each in found if not isinstance(each, BaseException)]
        if not values:
            raise ScalerError(
                "could not get any metric successfully from the "
                f"{len(urls)} provided endpoints: {found[0]}"
            )
        return _AGGREGATES[settings.aggregation](values)

    return polled(
        config,
        f"metric-api-{settings.location}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        doing="error requesting metrics endpoint",
        closing=client.aclose,
        timeout=settings.timeout or None,
    )


async def _endpoints(kube: KubeClient, url: str) -> list[str]:
    """The URL of each ready pod of the Service that a URL names (``<service>.<namespace>...``)."""
    parts = urllib.parse.urlsplit(url)
    service, _, rest = (parts.hostname or "").partition(".")
    if not rest:
        raise ScalerError(
            f"invalid hostname {parts.netloc} : expected at least 2 elements, first being service "
            "name and second being the namespace"
        )
    port = parts.port or _PORTS.get(parts.scheme, 80)
    selector = f"kubernetes.io/service-name={service}"
    slices, _ = await kube.list(ENDPOINTSLICES, rest.partition(".")[0], label_selector=selector)
    found: dict[str, str] = {}
    for each in slices:
        known = any(declared.get("port") == port for declared in each.get("ports") or ())
        for address in _ready(each):
            host = f"[{address}]" if ":" in address else address
            place = f"{host}:{port}" if known else host
            found.setdefault(address, f"{parts.scheme}://{place}{parts.path}")
    return list(found.values())


def _ready(endpoint_slice: dict[str, Any]) -> list[str]:
    endpoints = endpoint_slice.get("endpoints") or ()
    ready = (each for each in endpoints if each.get("conditions", {}).get("ready") is not False)
    return [address for each in ready for address in each.get("addresses", ())]

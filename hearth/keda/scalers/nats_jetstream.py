"""nats-jetstream: messages that a consumer has not got or not acknowledged, by NATS' monitoring.

In a cluster only the consumer's leader knows; it is looked for among the servers, and remembered.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from hearth.keda.scalers import http
from hearth.keda.scalers.params import AUTH, METADATA, param, read_params
from hearth.keda.scalers.polled import Polled, parsing, polled
from hearth.keda.scalers.seam import ConfigError, ScalerError, TriggerConfig

_EITHER = (AUTH, METADATA)


@dataclass(frozen=True)
class _Settings:
    account: str = param("account", order=_EITHER, optional=True)
    account_id: str = param("accountID", order=_EITHER, optional=True)
    stream: str = param("stream")
    consumer: str = param("consumer")
    threshold: int = param("lagThreshold", default="10")
    activation: int = param("activationLagThreshold", default="0")
    use_https: bool = param("useHttps", default="false")
    endpoint: str = param("natsServerMonitoringEndpoint", order=_EITHER)


def make(config: TriggerConfig) -> Polled:
    """Return the scaler of a ``nats-jetstream`` trigger. Raises ConfigError."""
    with parsing("NATS JetStream"):
        with parsing("nats"):
            settings = read_params(_Settings, config)
        if not (settings.account or settings.account_id):
            raise ConfigError("no account name or id given")
    client = http.client(config)
    monitor = _Monitor(client, settings)
    return polled(
        config,
        f"nats-jetstream-{settings.stream}",
        target=settings.threshold,
        activation=settings.activation,
        fetch=monitor.lag,
        doing="error asking NATS JetStream",
        closing=client.aclose,
    )


class _Monitor:
    def __init__(self, client: httpx.AsyncClient, settings: _Settings) -> None:
        self._client, self._settings = client, settings
        self._leader: tuple[str, str] | None = None
        """Name, and host with port, of the server that led the consumer when it was last asked."""

    async def lag(self) -> float:
        """Messages pending and not acknowledged."""
        remembered, self._leader = self._leader, None
        place = remembered[1] if remembered else self._settings.endpoint
        said = await self._jetstream(place)
        found = self._consumer(said)
        is_cluster = (said.get("meta_cluster") or {}).get("cluster_size", 0) > 1
        if found and is_cluster and remembered and _leader(found) == remembered[0]:
            self._leader = remembered
        elif is_cluster:
            found = await self._at_leader()
        if found is None:
            raise ScalerError(
                f'consumer "{self._settings.consumer}" not found in stream '
                f'"{self._settings.stream}"'
            )
        return float(found.get("num_pending", 0) + found.get("num_ack_pending", 0))

    async def _at_leader(self) -> dict[str, Any]:
        async for name, place in self._servers():
            found = self._consumer(await self._jetstream(place))
            if found and _leader(found) == name:
                self._leader = name, place
                return found
        raise ScalerError(f"leader node not found for consumer {self._settings.consumer}")

    async def _servers(self) -> AsyncIterator[tuple[str, str]]:
        """Name and place of each server: as they are advertised, else as they know each other."""
        endpoint = urllib.parse.urlsplit(f"//{self._settings.endpoint}")
        port = f":{endpoint.port}" if endpoint.port else ""
        said = await self._get(self._settings.endpoint, "varz")
        if advertised := said.get("connect_urls"):
            for each in advertised:
                place = f"{each.rpartition(':')[0] or each}{port}"
                yield (await self._get(place, "varz")).get("server_name", ""), place
            return
        for each in (said.get("cluster") or {}).get("urls") or ():
            name = each.partition(".")[0]
            yield name, f"{name}.{self._settings.endpoint}"

    async def _jetstream(self, place: str) -> dict[str, Any]:
        account = self._settings.account_id or self._settings.account
        return await self._get(place, "jsz", acc=account, consumers="true", config="true")

    async def _get(self, place: str, what: str, **params: str) -> dict[str, Any]:
        scheme = "https" if self._settings.use_https else "http"
        said = await http.get_json(self._client, f"{scheme}://{place}/{what}", params=params)
        if not isinstance(said, dict):
            raise ScalerError(f"{place}/{what} is no monitoring of NATS")
        return said

    def _consumer(self, said: dict[str, Any]) -> dict[str, Any] | None:
        wanted = self._settings
        for account in said.get("account_details") or ():
            ours = account.get("id") == (wanted.account_id or wanted.account)
            if ours or account.get("name") == wanted.account:
                for consumer in _consumers(account, wanted.stream):
                    if consumer.get("name") == wanted.consumer:
                        return consumer
        return None


def _consumers(account: dict[str, Any], stream: str) -> Iterator[dict[str, Any]]:
    for each in account.get("stream_detail") or ():
        if each.get("name") == stream:
            yield from each.get("consumer_detail") or ()


def _leader(consumer: dict[str, Any]) -> str:
    return str((consumer.get("cluster") or {}).get("leader", ""))

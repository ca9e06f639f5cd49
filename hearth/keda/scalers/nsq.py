"""``nsq``: the depth of a channel on all nsqd. Source: KEDA's ``nsq_scaler.go``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

from hearth.keda.scalers.http import answer, client, get_json
from hearth.keda.scalers.params import ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig

_BOTH = (METADATA, ENV)
_STATS = {"format": "json", "include_clients": "false", "include_mem": "false"}


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    lookups: list[str] = param("nsqLookupdHTTPAddresses", order=_BOTH)
    topic: str = param("topic", order=_BOTH)
    channel: str = param("channel", order=_BOTH)
    target: int = param("depthThreshold", order=_BOTH, default="10")
    activation: int = param("activationDepthThreshold", order=_BOTH, default="0")
    https: bool = param("useHttps", order=_BOTH, default="false")
    unsafe_ssl: bool = param("unsafeSsl", order=_BOTH, default="false")

    def check(self) -> None:
        """Refuse thresholds that are not positive."""
        if self.target <= 0:
            raise ConfigError("depthThreshold must be a positive integer")
        if self.activation < 0:
            raise ConfigError("activationDepthThreshold must be greater than or equal to 0")


def hosts_in(lookup: Any) -> list[str]:
    """Return the addresses of the nsqd in the answer of a lookupd."""
    found = [(each["broadcast_address"], each["http_port"]) for each in lookup["producers"]]
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in found]


def depth_in(stats: Any, topic: str, channel: str) -> float:
    """Return the depth of the channel: the topic's without it, 0 while it is paused."""
    depth = 0.0
    for found in stats["topics"]:
        if found["topic_name"] != topic:
            continue
        channels = [c for c in found.get("channels") or () if c["channel_name"] == channel]
        if not channels:
            depth += number(found["depth"])
        depth += sum(number(each["depth"]) for each in channels if not each["paused"])
    return depth


async def _hosts(http: httpx.AsyncClient, url: str, topic: str) -> list[str]:
    found = await answer(http, url, params={"topic": topic}, ok=(200, 404))
    return [] if found.status == 404 else hosts_in(found.json())


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("NSQ", "nsq"):
        settings = read_params(Settings, config)
    http = client(config, unsafe_ssl=settings.unsafe_ssl)
    scheme, topic = "https" if settings.https else "http", settings.topic

    async def fetch() -> float:
        lookups = (_hosts(http, f"{scheme}://{each}/lookup", topic) for each in settings.lookups)
        hosts = {host for found in await asyncio.gather(*lookups) for host in found}
        asked = {**_STATS, "topic": topic}
        urls = (f"{scheme}://{host}/stats" for host in sorted(hosts))
        stats = await asyncio.gather(*(get_json(http, url, params=asked) for url in urls))
        return sum(depth_in(each, topic, settings.channel) for each in stats)

    return polled(
        config,
        f"nsq-{topic}-{settings.channel}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error getting topic/channel depth",
    )

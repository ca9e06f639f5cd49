"""Serving's control plane: reconcilers, autoscaler, webhooks. Runs in the process ``control``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.configmaps import Live, follow
from hearth.kube.resources import CONFIGMAPS
from hearth.kube.webhooks import register
from hearth.kube.webhooks import serving as serving_webhooks
from hearth.observability.metrics import REGISTRY
from serving.api import keys
from serving.autoscaler.metrics import AutoscalerMetrics
from serving.autoscaler.server import StatsServer
from serving.install import install
from serving.kinds.controllers import ControlPlane
from serving.kinds.settings import CONFIG_MAPS, Settings
from serving.webhook import registrations
from serving.webhook.app import make_handlers


@dataclass(frozen=True, slots=True)
class ServingConfig:
    """``external_port`` is the gateway's: URLs show it unless it is 80.

    ``domain`` is the one routes get when nobody has set another; None leaves that to the operator.
    """

    kubeconfig: Path
    data_dir: Path
    webhook_port: int = 0
    webhook_host: str = "127.0.0.1"
    stats_host: str = "127.0.0.1"
    stats_port: int = 0
    stats_token: str = ""
    external_port: int = 80
    domain: str | None = "localhost"


async def run(config: ServingConfig, ready: Callable[[], None]) -> None:
    """Serves until cancelled; ready once Services can be created."""
    async with KubeClient.from_kubeconfig(config.kubeconfig, user_agent="hearth-serving") as client:
        await install(client, domain=config.domain)
        plane = ControlPlane(client, settings=Settings(external_port=config.external_port))
        config_maps = WatchCache(client, CONFIGMAPS, namespace=keys.SERVING_NAMESPACE)
        follow_settings(plane, config_maps)
        async with _listening(config, client, plane), asyncio.TaskGroup() as group:
            group.create_task(config_maps.run(), name="watch-configmaps")
            await config_maps.synced()
            group.create_task(plane.run(ready), name="control-plane")


def follow_settings(plane: ControlPlane, config_maps: WatchCache) -> None:
    """Keeps the control plane's settings as the ConfigMaps have them."""
    wanted: dict[str, Live[Any]] = {}
    for name, (field, parse) in CONFIG_MAPS.items():
        live: Live[Any] = Live(parse)
        live.on_change(partial(_changed, plane, field, live))
        wanted[name] = live
    follow(config_maps, wanted, space=keys.SERVING_NAMESPACE)


def _changed(plane: ControlPlane, field: str, live: Live[Any]) -> None:
    plane.change_settings(field, live.value)


@asynccontextmanager
async def _listening(
    config: ServingConfig, client: KubeClient, plane: ControlPlane
) -> AsyncIterator[None]:
    """Webhooks, statistics and metrics, for as long as the context lasts."""
    stats = StatsServer(plane.engine, token=config.stats_token)
    metrics = AutoscalerMetrics(
        plane.engine,
        podautoscaler=lambda key: plane.world.podautoscalers.get(*key),
        pods=plane.world.pod_counts,
    )
    handlers = make_handlers(lambda: plane.settings, client)
    async with serving_webhooks(
        handlers, host=config.webhook_host, port=config.webhook_port
    ) as server:
        await stats.start(config.stats_host, config.stats_port)
        REGISTRY.register(metrics)
        try:
            await register(client, server, registrations.ALL)
            yield
        finally:
            REGISTRY.unregister(metrics)
            await stats.close()

"""Serving's control plane: reconcilers, autoscaler, webhooks. Runs in the process ``control``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hearth.knative.leaderelection import Candidacy, stand
from hearth.knative.settings import LiveSettings
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.resources import CONFIGMAPS
from hearth.kube.webhooks import register
from hearth.kube.webhooks import serving as serving_webhooks
from hearth.observability.metrics import REGISTRY
from serving.api import keys
from serving.api.settings import Settings
from serving.autoscaler.metrics import AutoscalerMetrics
from serving.autoscaler.server import StatsServer
from serving.controlplane import ControlPlane
from serving.install import install
from serving.kinds import pods, sources
from serving.webhook.admission import ADMISSION


@dataclass(frozen=True, slots=True)
class ServingConfig:
    """``external_port`` is the gateway's: URLs show it unless it is 80.

    ``domain`` is the one routes get when nobody has set another; None leaves that to the operator.
    ``pre_stop_seconds`` is for nodes that do not wait of their own accord before they end a pod.
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
    pre_stop_seconds: int = 0
    election: Candidacy | None = None
    """Who this replica is where there are several, and where activators reach it; else None."""


async def run(config: ServingConfig, ready: Callable[[], None]) -> None:
    """Serves until cancelled; ready once Services can be created."""
    settings = LiveSettings(
        Settings(external_port=config.external_port, pre_stop_seconds=config.pre_stop_seconds)
    )
    async with (
        KubeClient.from_kubeconfig(config.kubeconfig, user_agent="hearth-serving") as client,
        serving_webhooks(
            ADMISSION.handlers(lambda: settings.value, client),
            host=config.webhook_host,
            port=config.webhook_port,
        ) as server,
    ):
        # Before the first write of a ConfigMap; see ``Admission.config_webhook``.
        await register(client, server, [ADMISSION.config_webhook()])
        await install(client, domain=config.domain)
        leadership = await stand(
            client,
            config.election,
            component=keys.CONTROL_COMPONENT,
            namespace=keys.SERVING_NAMESPACE,
            port=config.stats_port,
        )
        plane = ControlPlane(client, settings=settings.value, leadership=leadership)
        settings.on_change(plane.change_settings)
        config_maps = WatchCache(client, CONFIGMAPS, namespace=keys.SERVING_NAMESPACE)
        settings.follow(config_maps, system_namespace=keys.SERVING_NAMESPACE)
        async with _measured(config, plane), asyncio.TaskGroup() as group:
            group.create_task(config_maps.run(), name="watch-configmaps")
            await config_maps.synced()
            await register(client, server, ADMISSION.kind_webhooks())
            group.create_task(plane.run(ready), name="control-plane")


@asynccontextmanager
async def _measured(config: ServingConfig, plane: ControlPlane) -> AsyncIterator[None]:
    """Take statistics from activators and show metrics, for as long as the context lasts."""
    stats = StatsServer(plane.multiscaler, token=config.stats_token)
    metrics = AutoscalerMetrics(
        plane.multiscaler,
        podautoscaler=lambda key: plane.manager.get(sources.PODAUTOSCALERS, *key),
        pods=lambda key: pods.count(plane.manager, key),
    )
    await stats.start(config.stats_host, config.stats_port)
    REGISTRY.register(metrics)
    try:
        yield
    finally:
        REGISTRY.unregister(metrics)
        await stats.close()

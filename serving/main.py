"""Serving's control plane: reconcilers, autoscaler, webhooks. Runs in the process ``control``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hearth.knative.leaderelection import Candidacy, stand
from hearth.knative.settings import LiveSettings
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.registration import Registration
from hearth.kube.resources import CONFIGMAPS, Resource
from hearth.kube.sharedtokens import TokenSource, kept_tokens
from hearth.kube.tokens import Tokens
from hearth.kube.webhooks import Endpoint
from hearth.observability.logs import set_levels
from hearth.observability.metrics import REGISTRY
from hearth.observability.push import MetricsPush
from hearth.oci.helpers import docker_config
from serving.api import keys
from serving.api.settings import Settings
from serving.autoscaler.metrics import AutoscalerMetrics
from serving.autoscaler.server import StatsServer
from serving.controlplane import NAME, ControlPlane
from serving.install import install
from serving.kinds import pods, sources
from serving.kinds.shown import View
from serving.localauthority import LocalAuthority
from serving.webhook.admission import ADMISSION


@dataclass(frozen=True, slots=True)
class ServingConfig:
    """``external_port`` is the gateway's: URLs show it unless it is 80, or 443 with TLS.

    ``domain`` is the one routes get when nobody has set another; None leaves that to the operator.
    ``installs`` is whether kinds and ConfigMaps are put in here, at each start.
    ``pre_stop_seconds`` is for nodes that do not wait of their own accord before they end a pod.
    """

    kubeconfig: Path
    webhooks: Endpoint = field(default_factory=Endpoint)
    stats_host: str = "127.0.0.1"
    stats_port: int = 0
    stats_token: TokenSource = ""
    external_port: int = 80
    external_tls_port: int = 443
    authority: Path | None = None
    """The folder of the authority that signs certificates here; None: others are asked."""
    cluster_domain: str = CLUSTER_DOMAIN
    domain: str | None = "localhost"
    installs: bool = True
    pre_stop_seconds: int = 0
    views: Mapping[Resource, View] = field(default_factory=dict)
    """What is written of PodAutoscalers for clients that read it."""
    election: Candidacy | None = None
    """Who this replica is where there are several, and where activators reach it; else None."""


async def run(config: ServingConfig, ready: Callable[[], None]) -> None:
    """Serves until cancelled; ready once Services can be created."""
    settings = LiveSettings(
        Settings(
            external_port=config.external_port,
            external_tls_port=config.external_tls_port,
            signs_certificates=config.authority is not None,
            cluster_domain=config.cluster_domain,
            pre_stop_seconds=config.pre_stop_seconds,
        )
    )
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            KubeClient.from_kubeconfig(config.kubeconfig, user_agent="hearth-serving")
        )
        leadership = await stand(
            client,
            config.election,
            component=keys.CONTROL_COMPONENT,
            namespace=keys.SERVING_NAMESPACE,
            port=config.stats_port,
        )
        handlers = ADMISSION.handlers(lambda: settings.value, client)
        registration = Registration(client, handlers, config.webhooks, leadership=leadership)
        await stack.enter_async_context(registration.serving())
        # Before the first write of a ConfigMap; see ``Admission.config_webhook``.
        await registration.register([ADMISSION.config_webhook()])
        if config.installs:
            await install(client, domain=config.domain)
        authority = None if config.authority is None else LocalAuthority(config.authority)
        plane = ControlPlane(
            client,
            settings=settings.value,
            leadership=leadership,
            authority=authority,
            docker_config=docker_config(os.environ, Path.home()),
            views=config.views,
        )
        settings.on_change(plane.change_settings)
        settings.on_change(lambda value: set_levels(value.logging.by_package))
        push = stack.enter_context(MetricsPush("controller", keys.SERVING_NAMESPACE))
        settings.on_change(lambda value: push.configure(value.observability.metrics))
        config_maps = WatchCache(client, CONFIGMAPS, namespace=keys.SERVING_NAMESPACE)
        settings.follow(
            config_maps,
            system_namespace=keys.SERVING_NAMESPACE,
            record=partial(plane.manager.events.record, component=NAME),
        )
        tokens = await stack.enter_async_context(
            kept_tokens(client, config.stats_token, leadership=leadership)
        )
        async with _measured(config, plane, tokens), asyncio.TaskGroup() as group:
            group.create_task(config_maps.run(), name="watch-configmaps")
            await config_maps.synced()
            await registration.register(ADMISSION.kind_webhooks())
            group.create_task(plane.run(ready), name="control-plane")


@asynccontextmanager
async def _measured(
    config: ServingConfig, plane: ControlPlane, tokens: Tokens
) -> AsyncIterator[None]:
    """Take statistics from activators and show metrics, for as long as the context lasts."""
    stats = StatsServer(
        plane.multiscaler, tokens=tokens, explain=plane.explaining.of, wish=plane.wishing.take
    )
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

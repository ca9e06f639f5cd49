"""Eventing's control plane: reconcilers and webhooks. Runs in the process ``control``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eventing.api import keys
from eventing.api.admission import ADMISSION
from eventing.api.settings import Settings
from eventing.install import install
from eventing.reconcilers.controllers import BrokerController, TriggerController
from eventing.reconcilers.references import References
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.knative.settings import LiveSettings
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.resources import CONFIGMAPS
from hearth.kube.webhooks import WebhookServer, register, serving


@dataclass(frozen=True, slots=True)
class EventingConfig:
    """``broker_url`` is where the broker process takes events, as producers reach it."""

    kubeconfig: Path
    data_dir: Path
    broker_url: str
    webhook_host: str = "127.0.0.1"
    webhook_port: int = 0


async def run(config: EventingConfig, ready: Callable[[], None]) -> None:
    """Serves until cancelled; ready once Brokers and Triggers can be created."""
    settings = LiveSettings(Settings())
    async with KubeClient.from_kubeconfig(
        config.kubeconfig, user_agent="hearth-eventing"
    ) as client:
        handlers = ADMISSION.handlers(lambda: settings.value, client)
        async with serving(handlers, host=config.webhook_host, port=config.webhook_port) as server:
            # Before the first write of a ConfigMap; see ``Admission.config_webhook``.
            await register(client, server, [ADMISSION.config_webhook()])
            await install(client, ingress_url=config.broker_url)
            await _control(config, client, settings, server=server, ready=ready)


async def _control(
    config: EventingConfig,
    client: KubeClient,
    settings: LiveSettings[Settings],
    *,
    server: WebhookServer,
    ready: Callable[[], None],
) -> None:
    config_maps = WatchCache(client, CONFIGMAPS, namespace=keys.SYSTEM_NAMESPACE)
    settings.follow(config_maps, system_namespace=keys.SYSTEM_NAMESPACE)
    brokers, triggers = WatchCache(client, BROKERS), WatchCache(client, TRIGGERS)
    references = References(client)
    references.provide(brokers)
    broker_controller = BrokerController(client, brokers, references, ingress_url=config.broker_url)
    trigger_controller = TriggerController(client, triggers, brokers, references=references)
    async with asyncio.TaskGroup() as group:
        for cache in (config_maps, brokers, triggers):
            group.create_task(cache.run(), name=f"watch-{cache.resource.plural}")
        group.create_task(references.run(), name="references")
        for cache in (config_maps, brokers, triggers):
            await cache.synced()
        await register(client, server, ADMISSION.kind_webhooks())
        group.create_task(broker_controller.controller.run(), name="brokers")
        group.create_task(trigger_controller.controller.run(), name="triggers")
        ready()

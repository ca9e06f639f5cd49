"""Eventing's control plane: reconcilers and webhooks. Runs in the process ``control``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eventing import webhook
from eventing.api import keys
from eventing.api.admission import Settings
from eventing.api.settings import BrokerDefaults, Features
from eventing.install import install
from eventing.reconcilers.controllers import BrokerController, TriggerController
from eventing.reconcilers.references import References
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.configmaps import Live, follow
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
    defaults, features = Live(BrokerDefaults.from_data), Live(Features.from_data)
    async with KubeClient.from_kubeconfig(
        config.kubeconfig, user_agent="hearth-eventing"
    ) as client:
        await install(client, ingress_url=config.broker_url)
        settings = WatchCache(client, CONFIGMAPS, namespace=keys.SYSTEM_NAMESPACE)
        wanted: dict[str, Live[object]] = {
            keys.CONFIG_BROKER_DEFAULTS: defaults,  # type: ignore[dict-item]
            keys.CONFIG_FEATURES: features,  # type: ignore[dict-item]
        }
        follow(settings, wanted, space=keys.SYSTEM_NAMESPACE)
        handlers = webhook.handlers(lambda: Settings(defaults.value, features.value))
        async with serving(handlers, host=config.webhook_host, port=config.webhook_port) as server:
            await _control(config, client, settings, server=server, ready=ready)


async def _control(
    config: EventingConfig,
    client: KubeClient,
    settings: WatchCache,
    *,
    server: WebhookServer,
    ready: Callable[[], None],
) -> None:
    brokers, triggers = WatchCache(client, BROKERS), WatchCache(client, TRIGGERS)
    references = References(client)
    references.provide(brokers)
    broker_controller = BrokerController(client, brokers, references, ingress_url=config.broker_url)
    trigger_controller = TriggerController(client, triggers, brokers, references=references)
    async with asyncio.TaskGroup() as group:
        for cache in (settings, brokers, triggers):
            group.create_task(cache.run(), name=f"watch-{cache.resource.plural}")
        group.create_task(references.run(), name="references")
        for cache in (settings, brokers, triggers):
            await cache.synced()
        await register(client, server, webhook.WEBHOOKS)
        group.create_task(broker_controller.controller.run(), name="brokers")
        group.create_task(trigger_controller.controller.run(), name="triggers")
        ready()

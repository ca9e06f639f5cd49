"""Eventing's control plane: reconcilers and webhooks. Runs in the process ``control``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path

from eventing.api import keys
from eventing.api.admission import ADMISSION
from eventing.api.settings import Settings
from eventing.engines.classes import ENGINES
from eventing.install import MANAGER, install
from eventing.kinds.controllers import CONTROLLERS
from eventing.kinds.references import References
from eventing.kinds.settings import ControlSettings
from hearth.knative.leaderelection import Candidacy, stand
from hearth.knative.settings import LiveSettings
from hearth.kube.client import KubeClient
from hearth.kube.controllerspec import Source
from hearth.kube.manager import Manager
from hearth.kube.resources import CONFIGMAPS
from hearth.kube.webhooks import WebhookServer, register, serving


@dataclass(frozen=True, slots=True)
class EventingConfig:
    """How the control plane of eventing is set up."""

    kubeconfig: Path
    data_dir: Path
    broker_url: str
    """Where the broker process takes events, as producers reach it."""
    broker_classes: Set[str] = frozenset(ENGINES)
    """The classes of Brokers that the broker process has engines for."""
    webhook_host: str = "127.0.0.1"
    webhook_port: int = 0
    election: Candidacy | None = None
    """Who this replica is where there are several; None where it is the only one."""


async def run(config: EventingConfig, ready: Callable[[], None]) -> None:
    """Serve until cancelled; ready once Brokers and Triggers can be created."""
    settings = LiveSettings(Settings())
    async with KubeClient.from_kubeconfig(config.kubeconfig, user_agent=MANAGER) as client:
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
    leadership = await stand(
        client, config.election, component=MANAGER, namespace=keys.SYSTEM_NAMESPACE
    )
    manager = Manager(client, name=MANAGER, leadership=leadership)
    config_maps = manager.cache(Source(CONFIGMAPS, namespace=keys.SYSTEM_NAMESPACE))
    settings.follow(config_maps, system_namespace=keys.SYSTEM_NAMESPACE)
    references = References(manager)
    control = ControlSettings(config.broker_url, config.broker_classes)
    for make in CONTROLLERS:
        manager.add(make(references), lambda: control)
    async with asyncio.TaskGroup() as group:
        synced = asyncio.Event()
        group.create_task(manager.run(synced.set), name=manager.name)
        await synced.wait()
        await register(client, server, ADMISSION.kind_webhooks())
        ready()

"""The receiver of all WebhookSources: ``hearth run webhooksource``.

One process for all of them: on one machine it begins with the first one, in a cluster control makes
a Deployment of it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from eventing.api import keys
from eventing.api.settings import Observability
from eventing.runtime.target import Address
from eventing.sources.sender import Sender
from eventing.sources.tracing import SendTracing
from eventing.sources.webhook.receiver import Receiver
from eventing.sources.webhook.seen import Memory
from eventing.sources.webhook.serving import POLICY, WebhookSources
from hearth.knative.settings import LiveSettings, from_config_map
from hearth.kube.client import KubeClient
from hearth.kube.controllerspec import Source
from hearth.kube.manager import Manager
from hearth.kube.resources import CONFIGMAPS
from hearth.observability.traces.tracer import Tracer

COMPONENT = "webhooksource-receiver"


@dataclass(frozen=True, slots=True)
class ReceiverConfig:
    """How the receiver is set up."""

    kubeconfig: Path
    folder: Path
    """Where it is kept which deliveries were taken."""
    host: str = "127.0.0.1"
    port: int = 0
    held: socket.socket | None = None
    """A listening socket that others have open, too, instead of host and port."""
    gateway: Address | None = None
    """The activator's internal listener, which in-cluster hosts are reached through."""
    drain_delay_seconds: float = 0.0
    grace_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """What counts at once."""

    observability: Observability = from_config_map(keys.OBSERVABILITY, Observability.from_data)


async def run(config: ReceiverConfig, ready: Callable[[], None]) -> None:
    """Take webhooks, until cancelled."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            KubeClient.from_kubeconfig(config.kubeconfig, user_agent=COMPONENT)
        )
        manager = Manager(client, name=COMPONENT)
        tracer = Tracer(COMPONENT, keys.SYSTEM_NAMESPACE)
        stack.push_async_callback(asyncio.to_thread, tracer.close)
        settings = LiveSettings(ReceiverSettings())
        config_maps = manager.cache(Source(CONFIGMAPS, namespace=keys.SYSTEM_NAMESPACE))
        settings.follow(config_maps, system_namespace=keys.SYSTEM_NAMESPACE)
        settings.on_change(lambda value: tracer.configure(value.observability.tracing))
        tracing = SendTracing(tracer)

        def make_sender(ca_certs: str | None) -> Sender:
            return Sender(POLICY, gateway=config.gateway, ca_certs=ca_certs, tracing=tracing)

        memory = Memory(config.folder)
        sources = WebhookSources(manager, memory, make_sender)
        stack.push_async_callback(sources.close)
        receiver = Receiver(sources.find)

        async def serve() -> None:
            await sources.begin()
            await receiver.start(config.host, config.port, held=config.held)
            ready()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(config.drain_delay_seconds)
                await receiver.stop(grace_seconds=config.grace_seconds)

        manager.add_runnable("receiver", serve)
        await manager.run()

"""The adapter of all PingSources: ``hearth run pingsource``, in a pod that control makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eventing.api import keys
from eventing.api.settings import Observability
from eventing.sources.ping.adapter import PingAdapter
from eventing.sources.sender import Sender
from eventing.sources.tracing import SendTracing
from hearth.knative.leaderelection import Candidacy, stand
from hearth.knative.settings import LiveSettings, from_config_map
from hearth.kube.client import KubeClient
from hearth.kube.controllerspec import Source
from hearth.kube.manager import Manager
from hearth.kube.resources import CONFIGMAPS
from hearth.observability.traces.tracer import Tracer

COMPONENT = "pingsource-mt-adapter"


@dataclass(frozen=True, slots=True)
class PingConfig:
    """How the adapter is set up."""

    kubeconfig: Path
    election: Candidacy | None = None
    """Who this replica is; None where it is the only one."""


@dataclass(frozen=True, slots=True)
class PingSettings:
    """What counts at once."""

    observability: Observability = from_config_map(keys.OBSERVABILITY, Observability.from_data)


async def run(config: PingConfig, ready: Callable[[], None]) -> None:
    """Send the events of PingSources, until cancelled."""
    async with KubeClient.from_kubeconfig(config.kubeconfig, user_agent=COMPONENT) as client:
        leadership = await stand(
            client, config.election, component=COMPONENT, namespace=keys.SYSTEM_NAMESPACE
        )
        manager = Manager(client, name=COMPONENT, leadership=leadership)
        tracer = Tracer(COMPONENT, keys.SYSTEM_NAMESPACE)
        settings = LiveSettings(PingSettings())
        config_maps = manager.cache(Source(CONFIGMAPS, namespace=keys.SYSTEM_NAMESPACE))
        settings.follow(config_maps, system_namespace=keys.SYSTEM_NAMESPACE)
        settings.on_change(lambda value: tracer.configure(value.observability.tracing))
        tracing = SendTracing(tracer)

        def make_sender(ca_certs: str | None) -> Sender:
            return Sender(ca_certs=ca_certs, tracing=tracing)

        try:
            async with PingAdapter(manager, make_sender=make_sender) as adapter:
                manager.add_runnable("ticks", adapter.run)
                await manager.run(ready)
        finally:
            await asyncio.to_thread(tracer.close)

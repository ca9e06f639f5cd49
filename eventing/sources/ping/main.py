"""The adapter of all PingSources: ``hearth run pingsource``, in a pod that control makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eventing.api import keys
from eventing.sources.ping.adapter import PingAdapter
from hearth.knative.leaderelection import Candidacy, stand
from hearth.kube.client import KubeClient
from hearth.kube.manager import Manager

COMPONENT = "pingsource-mt-adapter"


@dataclass(frozen=True, slots=True)
class PingConfig:
    """How the adapter is set up."""

    kubeconfig: Path
    election: Candidacy | None = None
    """Who this replica is; None where it is the only one."""


async def run(config: PingConfig, ready: Callable[[], None]) -> None:
    """Send the events of PingSources, until cancelled."""
    async with KubeClient.from_kubeconfig(config.kubeconfig, user_agent=COMPONENT) as client:
        leadership = await stand(
            client, config.election, component=COMPONENT, namespace=keys.SYSTEM_NAMESPACE
        )
        manager = Manager(client, name=COMPONENT, leadership=leadership)
        async with PingAdapter(manager) as adapter:
            manager.add_runnable("ticks", adapter.run)
            await manager.run(ready)

"""KEDA's webhooks in a cluster: part of its own component, each replica behind one Service.

On one machine they are guests of the process ``control``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hearth.keda.admission.webhooks import WEBHOOKS, handlers
from hearth.keda.api import keys
from hearth.knative.leaderelection import Candidacy, stand
from hearth.kube.client import KubeClient
from hearth.kube.guards import keep_running
from hearth.kube.registration import Registration
from hearth.kube.webhooks import Endpoint

COMPONENT = "keda-admission"
"""What its Lease begins with."""


@dataclass(frozen=True, slots=True)
class AdmissionConfig:
    """Where webhooks are served; who leads keeps their configurations as they should be."""

    kubeconfig: Path
    webhooks: Endpoint
    election: Candidacy | None = None


async def run(config: AdmissionConfig, ready: Callable[[], None]) -> None:
    """Serve until cancelled; ready once reviews are answered."""
    async with KubeClient.from_kubeconfig(config.kubeconfig, user_agent=COMPONENT) as client:
        leadership = await stand(
            client, config.election, component=COMPONENT, namespace=keys.NAMESPACE
        )
        registration = Registration(
            client, handlers(client), config.webhooks, leadership=leadership
        )
        try:
            async with registration.serving(), asyncio.TaskGroup() as group:
                group.create_task(keep_running("leadership", leadership.run), name="leadership")
                await registration.register(WEBHOOKS)
                ready()
        finally:
            await leadership.release()

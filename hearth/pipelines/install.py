"""What pipelines need on one machine: their definitions, and a name for the component."""

from __future__ import annotations

from eventing.install import ingress_objects
from hearth.kube import install as installing
from hearth.kube.client import KubeClient

MANAGER = "hearth-pipelines"


async def install(client: KubeClient, *, url: str) -> None:
    """Install the definitions; return once both kinds are served. ``url`` is where we listen."""
    await installing.install(
        client,
        definitions=installing.shipped_definitions("pipelines"),
        objects=[],
        manager=MANAGER,
    )
    for resource, obj in ingress_objects(url, MANAGER):
        await client.apply(resource, obj, field_manager=MANAGER)

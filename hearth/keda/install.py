"""What KEDA's kinds need in a cluster before they are used: their CRDs, their namespace.

Read from ``crds`` and ``config``, so that no model is imported for it. Called by the process
``control`` of one machine at each start.
"""

from __future__ import annotations

from hearth.kube import install as installing
from hearth.kube.client import KubeClient

MANAGER = "hearth-keda"


async def install(client: KubeClient) -> None:
    """Install everything; return once every kind is served."""
    await installing.install(
        client,
        definitions=installing.shipped_definitions("keda"),
        objects=installing.shipped("keda"),
        manager=MANAGER,
    )

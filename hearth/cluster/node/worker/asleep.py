"""Whether the workload of a pod sleeps: it is there, at zero, and may be woken."""

from __future__ import annotations

from typing import Any

from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import DEPLOYMENTS, REPLICASETS, Resource


async def is_asleep(client: KubeClient, pod: Object) -> bool:
    """Its ReplicaSet and the Deployment of that have no replicas.

    A ReplicaSet alone at zero is one that a newer template has taken the place of. Raises
    ApiError where nothing is known.
    """
    replica_set = await _owner(client, pod, REPLICASETS, "ReplicaSet")
    if replica_set is None or replica_set["spec"].get("replicas") != 0:
        return False
    deployment = await _owner(client, replica_set, DEPLOYMENTS, "Deployment")
    return deployment is not None and deployment["spec"].get("replicas") == 0


async def _owner(
    client: KubeClient, obj: Object, resource: Resource, kind: str
) -> dict[str, Any] | None:
    reference = meta.controller_of(obj)
    if reference is None or reference["kind"] != kind:
        return None
    try:
        found = await client.get(resource, reference["name"], meta.namespace(obj))
    except NotFound:
        return None
    return found if meta.uid(found) == reference["uid"] else None

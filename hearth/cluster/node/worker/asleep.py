"""Whether a workload sleeps: it is there, at zero, and may be woken."""

from __future__ import annotations

from hearth.cluster.node.runtime.containers.ahead import Owner
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import DEPLOYMENTS, REPLICASETS, Resource

_REVISION = "deployment.kubernetes.io/revision"


async def asleep(client: KubeClient, owner: Owner) -> Object | None:
    """The ReplicaSet, where it is the one that its Deployment would wake, and both are at zero.

    Raises ApiError where nothing is known.
    """
    replica_set = await _at_zero(client, REPLICASETS, owner)
    reference = meta.controller_of(replica_set) if replica_set is not None else None
    if replica_set is None or reference is None or reference["kind"] != "Deployment":
        return None
    above = Owner(owner.namespace, reference["name"], reference["uid"])
    deployment = await _at_zero(client, DEPLOYMENTS, above)
    if deployment is None:
        return None
    latest, own = (meta.annotations(each).get(_REVISION) for each in (deployment, replica_set))
    return replica_set if own is None or latest in (None, own) else None


async def _at_zero(client: KubeClient, resource: Resource, owner: Owner) -> Object | None:
    try:
        found = await client.get(resource, owner.name, owner.namespace)
    except NotFound:
        return None
    is_it = meta.uid(found) == owner.uid and found["spec"].get("replicas") == 0
    return found if is_it and not meta.is_deleting(found) else None

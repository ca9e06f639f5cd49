"""What a namespace holds that can be exported: what somebody applied, not what came of it."""

from __future__ import annotations

import asyncio

from hearth.kube import meta
from hearth.kube import resources as core
from hearth.kube.client import KubeClient
from hearth.kube.errors import Forbidden, NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import Resource, resources_of

_NETWORKING = "networking.k8s.io"
_POLICY = "policy"
_PLAIN = (
    *(core.SERVICEACCOUNTS, core.ROLES, core.ROLEBINDINGS, core.SECRETS, core.CONFIGMAPS),
    *(core.PERSISTENTVOLUMECLAIMS, core.SERVICES, core.DEPLOYMENTS, core.STATEFULSETS),
    *(core.DAEMONSETS, core.CRONJOBS, core.HPAS),
    Resource(_NETWORKING, "v1", "ingresses", "Ingress"),
    Resource(_POLICY, "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
)
_GROUPS = ("knative.dev", "keda.sh", "hearth.dev", "servicebinding.io")
_OTHERS = ("internal.knative.dev",)
_RUNS = {"PipelineRun"}
_MADE = {"kube-root-ca.crt", "default"}
_OF_THE_SERVER = {"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"}


async def exportable(client: KubeClient, namespace: str) -> list[Object]:
    """Return a namespace's objects that nothing else made; what may not be read is left out."""
    resources = [*_PLAIN, *await _custom(client)]
    lists = await asyncio.gather(*(_list(client, each, namespace) for each in resources))
    return [obj for objects in lists for obj in objects if _is_somebodys(obj)]


async def _custom(client: KubeClient) -> list[Resource]:
    """The resources of our groups that the cluster serves, each in the version it prefers."""
    groups = (await client.request("GET", "/apis"))["groups"]
    versions = [
        version["groupVersion"]
        for each in groups
        if each["name"].endswith(_GROUPS) and not each["name"].endswith(_OTHERS)
        for version in each["versions"]
    ]
    found = await asyncio.gather(*(client.request("GET", f"/apis/{each}") for each in versions))
    resources: dict[tuple[str, str], Resource] = {}
    for served in found:
        for each in resources_of(served, verb="list"):
            resources.setdefault((each.group, each.plural), each)
    return list(resources.values())


async def _list(client: KubeClient, resource: Resource, namespace: str) -> list[Object]:
    if not resource.namespaced:
        return []
    try:
        return (await client.list(resource, namespace))[0]
    except (Forbidden, NotFound):
        return []


def _is_somebodys(obj: Object) -> bool:
    if meta.controller_of(obj) is not None or meta.is_deleting(obj):
        return False  # an owner that is no controller only takes it along when it goes
    if obj["kind"] in _RUNS:
        return False
    if obj["kind"] == "Secret" and obj.get("type") in _OF_THE_SERVER:
        return False
    if obj["kind"] == "Service" and meta.name(obj) == "kubernetes":
        return False
    return not (obj["kind"] in ("ConfigMap", "ServiceAccount") and meta.name(obj) in _MADE)

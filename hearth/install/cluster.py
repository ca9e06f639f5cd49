"""What an installation asks of a cluster: its version, its resources, its objects, one's rights."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence

from hearth.install.order import SELECTOR
from hearth.install.preflight import Facts, Right
from hearth.kube.client import KubeClient
from hearth.kube.errors import Forbidden, NotFound
from hearth.kube.meta import Object, name, namespace
from hearth.kube.resources import (
    CRDS,
    DEPLOYMENTS,
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    Resource,
    resources_of,
)

STATEFULSETS = Resource("apps", "v1", "statefulsets", "StatefulSet")
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class UnknownKind(Exception):
    """A kind that the cluster does not serve; the text names it."""


class Cluster:
    """One cluster, and what is known of the resources it serves."""

    def __init__(self, client: KubeClient) -> None:
        self.client = client
        self._served: dict[str, dict[str, Resource]] = {}

    # -- resources -------------------------------------------------------------------------------

    async def resources(self, objects: Iterable[Object]) -> Mapping[tuple[str, str], Resource]:
        """Return the resources of objects by apiVersion and kind; raise UnknownKind."""
        wanted = {(str(obj["apiVersion"]), str(obj["kind"])) for obj in objects}
        async with asyncio.TaskGroup() as group:
            for api_version in {version for version, _ in wanted} - self._served.keys():
                group.create_task(self._discover(api_version))
        return {(version, kind): self._resource(version, kind) for version, kind in wanted}

    async def resource(self, obj: Object) -> Resource:
        """Return the resource of one object."""
        found = await self.resources([obj])
        return found[(obj["apiVersion"], obj["kind"])]

    async def _discover(self, api_version: str) -> None:
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            served = resources_of(await self.client.request("GET", path))
        except NotFound:
            served = []
        self._served[api_version] = {resource.kind: resource for resource in served}

    def _resource(self, api_version: str, kind: str) -> Resource:
        try:
            return self._served[api_version][kind]
        except KeyError:
            raise UnknownKind(f"the cluster serves no {kind} of {api_version}") from None

    # -- objects ---------------------------------------------------------------------------------

    async def find(self, obj: Object) -> Object | None:
        """Return an object as it is in the cluster; None where it is not."""
        try:
            found = await self.client.get(
                await self.resource(obj), name(obj), namespace(obj) or None
            )
        except NotFound:
            return None
        return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **found}

    async def installed(self, like: Sequence[Object]) -> list[Object]:
        """Return what an installation of Hearth made, of the kinds and namespaces of objects."""
        resources, found = await self.resources(like), list[Object]()
        places = {(resources[(o["apiVersion"], o["kind"])], namespace(o)) for o in like}
        for resource, where in places:
            items, _ = await self.client.list(resource, where or None, label_selector=SELECTOR)
            found += items
        return found

    async def nodes(self) -> list[Object]:
        """Return the nodes; none where one may not look."""
        try:
            items, _ = await self.client.list(NODES)
        except Forbidden:
            return []
        return items

    async def pods_of(self, workload: Object) -> list[Object]:
        """Return the pods that a Deployment or StatefulSet selects."""
        return await self._selected(PODS, workload)

    async def claims_of(self, workload: Object) -> list[Object]:
        """Return the volume claims of a StatefulSet."""
        if workload["kind"] != "StatefulSet":
            return []
        return await self._selected(PERSISTENTVOLUMECLAIMS, workload)

    async def _selected(self, resource: Resource, workload: Object) -> list[Object]:
        labels = workload["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        items, _ = await self.client.list(resource, namespace(workload), label_selector=selector)
        return items

    # -- before anything is changed ----------------------------------------------------------------

    async def facts(self, wanted: Sequence[Object], rights: Sequence[Right]) -> Facts:
        """Return what speaks for or against an installation; ``rights`` are those it takes."""
        version = await self.client.request("GET", "/version")
        ours = {name(obj) for obj in wanted if obj["kind"] == CRDS.kind}
        looking = [Right("apps", each.plural, "", "list") for each in (DEPLOYMENTS, STATEFULSETS)]
        denied = await self.denied([*rights, *looking])
        if any(right.verb in ("get", "list") for right in denied):
            # What cannot be looked at is not looked at: the rights are what is to be told.
            return Facts(_minor(version), (), (), denied)
        definitions, _ = await self.client.list(CRDS)
        workloads: list[Object] = []
        for resource in (DEPLOYMENTS, STATEFULSETS):
            items, _ = await self.client.list(resource, label_selector=SELECTOR)
            workloads += items
        present = [obj for obj in definitions if name(obj) in ours]
        return Facts(_minor(version), present, workloads, denied)

    async def denied(self, rights: Sequence[Right]) -> list[Right]:
        """Return those rights that one does not have."""
        verdicts = await asyncio.gather(*(self._may(right) for right in rights))
        return [right for right, allowed in zip(rights, verdicts, strict=True) if not allowed]

    async def _may(self, right: Right) -> bool:
        attributes = {"group": right.group, "resource": right.resource, "verb": right.verb}
        if right.namespace:
            attributes["namespace"] = right.namespace
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = await self.client.request("POST", _REVIEWS, body=review)
        return bool(answer["status"]["allowed"])


def _minor(version: Object) -> int:
    """The minor version; managed clusters write it as ``30+``."""
    found = re.match(r"\d+", str(version.get("minor", "")))
    return int(found[0]) if found else 0

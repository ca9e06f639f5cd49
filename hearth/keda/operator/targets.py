"""What is scaled: found by group and kind, read and written at its ``/scale``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hearth.keda.api.scaledobject import ScaleTarget
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import ApiError, Forbidden, NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import DEPLOYMENTS, PODS, STATEFULSETS, Resource, resources_of

NOT_RIGHT = "ScaledObject doesn't have correct scaleTargetRef specification"
NOT_FOUND = "Target resource doesn't exist"
NOT_SCALABLE = "Target resource doesn't expose /scale subresource"


class TargetError(Exception):
    """The target cannot be scaled; the text says why, ``about`` in KEDA's words."""

    def __init__(self, about: str, error: str) -> None:
        super().__init__(error)
        self.about = about


class Kinds:
    """Resources by API version and kind, as the server tells; known ones are not asked about."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._known = {(each.api_version, each.kind): each for each in (DEPLOYMENTS, STATEFULSETS)}

    async def find(self, api_version: str, kind: str) -> Resource:
        """Return a kind's resource; raise TargetError, or ApiError where nobody answers."""
        if (api_version, kind) not in self._known:
            prefix = "/apis/" if "/" in api_version else "/api/"
            try:
                served = await self._client.request("GET", prefix + api_version)
            except NotFound:
                served = {"groupVersion": api_version, "resources": []}
            found = resources_of(served, verb="get")
            self._known |= {(each.api_version, each.kind): each for each in found}
        resource = self._known.get((api_version, kind))
        if resource is None:
            text = f'no matches for kind "{kind}" in version "{api_version}"'
            raise TargetError(NOT_RIGHT, text)
        return resource


@dataclass(frozen=True, slots=True)
class Scale:
    """How many replicas a target is asked to have, and which pods are its."""

    replicas: int
    selector: str = ""


@dataclass(slots=True)
class Target:
    """One workload."""

    client: KubeClient
    resource: Resource
    namespace: str
    name: str

    @property
    def kind(self) -> str:
        """Group, version and kind in KEDA's form: ``apps/v1.Deployment``."""
        return f"{self.resource.group}/{self.resource.version}.{self.resource.kind}"

    @property
    def parts(self) -> dict[str, str]:
        """The same as the status has it."""
        return {
            "group": self.resource.group,
            "version": self.resource.version,
            "kind": self.resource.kind,
            "resource": self.resource.plural,
        }

    @property
    def reference(self) -> dict[str, str]:
        """As an HPA refers to it."""
        return {
            "apiVersion": self.resource.api_version,
            "kind": self.resource.kind,
            "name": self.name,
        }

    async def scale(self) -> Scale:
        """Read its scale; raise ApiError."""
        found = await self.client.get(self.resource, self.name, self.namespace, subresource="scale")
        return _scale_of(found)

    async def checked_scale(self) -> Scale:
        """Read its scale; raise TargetError where it is not there or has none."""
        try:
            return await self.scale()
        except NotFound as missing:
            try:
                await self.client.get(self.resource, self.name, self.namespace)
            except NotFound as error:
                raise TargetError(NOT_FOUND, error.message) from error
            except Forbidden:
                # What is missing then is named by who was asked for its scale.
                if f'"{self.name}"' in missing.message:
                    raise TargetError(NOT_FOUND, missing.message) from missing
            raise TargetError(NOT_SCALABLE, missing.message) from missing

    async def set(self, replicas: int) -> None:
        """Ask for replicas; raise ApiError."""
        await self.client.patch(
            self.resource,
            self.name,
            self.namespace,
            {"spec": {"replicas": replicas}},
            subresource="scale",
        )

    async def pod_spec(self) -> Object | None:
        """Return the spec of its pods; None where it has none that could be found, or read."""
        try:
            obj = await self.client.get(self.resource, self.name, self.namespace)
        except Forbidden:
            return None
        template = (obj.get("spec") or {}).get("template") or {}
        spec = template.get("spec") if isinstance(template, dict) else None
        return spec if isinstance(spec, dict) and spec.get("containers") else None

    async def ready(self, scale: Scale) -> int:
        """Count its pods that are ready; 0 where they cannot be listed."""
        try:
            pods, _ = await self.client.list(PODS, self.namespace, label_selector=scale.selector)
        except ApiError:
            return 0
        return sum(map(_is_ready, pods))


async def find_target(
    client: KubeClient, kinds: Kinds, reference: ScaleTarget, namespace: str
) -> Target:
    """Return what is referred to, a Deployment where no kind is said; raise TargetError."""
    if not reference.name:
        raise TargetError(NOT_RIGHT, "ScaledObject.spec.scaleTargetRef.name is missing")
    resource = await kinds.find(
        reference.api_version or DEPLOYMENTS.api_version, reference.kind or DEPLOYMENTS.kind
    )
    return Target(client, resource, namespace, reference.name)


def _scale_of(found: Object) -> Scale:
    spec: dict[str, Any] = found.get("spec") or {}
    status: dict[str, Any] = found.get("status") or {}
    return Scale(int(spec.get("replicas") or 0), str(status.get("selector") or ""))


def _is_ready(pod: Object) -> bool:
    running = (pod.get("status") or {}).get("phase") == "Running"
    return running and Conditions.of(pod).is_true("Ready")

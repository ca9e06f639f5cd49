"""PodAutoscaler: what scales the Deployment of one revision."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hearth.knative.duck import Status
from hearth.kube.models import Int32, Int64, Kept, Model, Required


class ObjectReference(Model):
    """The Deployment whose scale is set."""

    go_type: ClassVar[str] = "v1.ObjectReference"
    schema_extra: ClassVar[dict[str, str]] = {"x-kubernetes-map-type": "atomic"}

    kind: str = ""
    name: str = ""
    api_version: str = ""


class PodAutoscalerSpec(Model):
    """What is scaled, and by which protocol and limit."""

    go_type: ClassVar[str] = "v1alpha1.PodAutoscalerSpec"

    container_concurrency: Int64 = 0
    """Requests one pod takes at a time; 0 means as many as come."""
    scale_target_ref: Annotated[Kept[ObjectReference], Required()] = Field(
        default_factory=ObjectReference
    )
    """What is scaled."""
    reachability: str = ""
    """Whether a route leads here: Reachable, Unreachable, or nothing when that is unknown."""
    protocol_type: Annotated[Kept[str], Required()] = ""
    """http1 or h2c."""


class PodAutoscalerStatus(Status):
    """The decided and the actual number of pods, and the Services' names."""

    service_name: Annotated[Kept[str], Required()] = ""
    """The Kubernetes Service of the revision."""
    metrics_service_name: Annotated[Kept[str], Required()] = ""
    """The Kubernetes Service of the revision's pods alone."""
    desired_scale: Int32 | None = None
    """Pods that there should be; -1 before the first decision."""
    actual_scale: Int32 | None = None
    """Pods that are ready."""

"""Revision: one immutable version of a workload; and the template it is made from."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from hearth.knative.duck import STRING_MAP, Status
from hearth.kube.models import Hidden, Int32, Int64, Kept, Model, Schema
from serving.api.podspec import PodSpec


class ObjectMeta(Model):
    """Metadata of a template. Its schema also keeps what is not listed there."""

    schema_extra: ClassVar[dict[str, Any]] = {"x-kubernetes-preserve-unknown-fields": True}

    name: str = ""
    generate_name: Annotated[str, Hidden()] = ""
    namespace: str = ""
    labels: STRING_MAP = Field(default_factory=dict)
    annotations: STRING_MAP = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)


class RevisionSpec(PodSpec):
    """A pod and how requests reach it."""

    container_concurrency: Int64 | None = None
    """Requests one pod takes at a time; 0 means as many as come."""
    timeout_seconds: Int64 | None = None
    """Time a request may take in all."""
    response_start_timeout_seconds: Int64 | None = None
    """Time until the first byte of the answer."""
    idle_timeout_seconds: Int64 | None = None
    """Time without a byte in either direction."""


class RevisionTemplateSpec(Model):
    """What a Revision is made from."""

    metadata: Kept[ObjectMeta] = Field(default_factory=ObjectMeta)
    spec: Kept[RevisionSpec] = Field(default_factory=RevisionSpec)


class ContainerStatus(Model):
    """One container's image as it is run."""

    name: str = ""
    image_digest: str = ""


class RevisionStatus(Status):
    """What came of the Revision."""

    log_url: Annotated[str, Schema()] = ""
    """Where this revision's logs are found."""
    container_statuses: list[ContainerStatus] = Field(default_factory=list)
    """The image digests its containers run, by container."""
    init_container_statuses: list[ContainerStatus] = Field(default_factory=list)
    actual_replicas: Int32 | None = None
    """Pods that are ready."""
    desired_replicas: Int32 | None = None
    """Pods that there should be."""

    go_type: ClassVar[str] = "v1.RevisionStatus"

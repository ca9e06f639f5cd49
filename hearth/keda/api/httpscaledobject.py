"""HTTPScaledObject: a workload that requests wake and scale. Deprecated upstream, still used."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from hearth.keda.api import keys
from hearth.keda.api.shapes import (
    AGE,
    Kind,
    KubeCondition,
    Name,
    Needed,
    by_key,
    crd,
    rules,
    state_column,
)
from hearth.kube.crdgen import Version
from hearth.kube.models import Int32, Keep, Model, Schema

_ONE_PORT = rules(
    ("has(self.portName) != has(self.port)", "must define either the 'portName' or the 'port'")
)


class ScaleTargetRef(Model):
    """What is scaled, and the Service that requests go to."""

    go_type: ClassVar[str] = "v1alpha1.ScaleTargetRef"
    schema_extra: ClassVar[dict[str, Any]] = _ONE_PORT

    name: Annotated[str, Keep()] = ""
    """Name of the workload."""
    api_version: str = ""
    """Its group and version; apps/v1 where nothing is said."""
    kind: str = ""
    """Its kind; Deployment where nothing is said."""
    service: Needed[str] = ""
    """The Service that requests go to."""
    port: Int32 = 0
    """Its port; or portName."""
    port_name: str = ""
    """Its port's name; or port."""


class FailoverRef(Model):
    """The Service that gets requests when the target is not there in time."""

    go_type: ClassVar[str] = "v1alpha1.ColdStartTimeoutFailoverRef"
    schema_extra: ClassVar[dict[str, Any]] = _ONE_PORT

    service: Needed[str] = ""
    """Its name."""
    port: Int32 = 0
    """Its port; or portName."""
    port_name: str = ""
    """Its port's name; or port."""
    timeout_seconds: Annotated[Int32, Schema({"default": 30})] = 30
    """Seconds to wait for the target."""


class Replicas(Model):
    """Bounds of the scale."""

    go_type: ClassVar[str] = "v1alpha1.ReplicaStruct"

    min: Int32 | None = None
    """The fewest; 0 where nothing is said."""
    max: Int32 | None = None
    """The most; 100 where nothing is said."""


class Concurrency(Model):
    """Scaled by requests at a time."""

    go_type: ClassVar[str] = "v1alpha1.ConcurrencyMetricSpec"

    target_value: Annotated[int, Keep(), Schema({"default": 100})] = 100
    """Requests at a time for each replica."""


class RequestRate(Model):
    """Scaled by requests a second."""

    go_type: ClassVar[str] = "v1alpha1.RateMetricSpec"

    target_value: Annotated[int, Keep(), Schema({"default": 100})] = 100
    """Requests a second for each replica."""
    window: Annotated[str, Keep(), Schema({"default": "1m"})] = "1m"
    """Over how long the rate is taken."""
    granularity: Annotated[str, Keep(), Schema({"default": "1s"})] = "1s"
    """In steps of which length it is counted."""


class ScalingMetric(Model):
    """What the scale follows; one of the two."""

    go_type: ClassVar[str] = "v1alpha1.ScalingMetricSpec"

    concurrency: Concurrency | None = None
    """Requests at a time."""
    request_rate: RequestRate | None = None
    """Requests a second."""


class Timeouts(Model):
    """Time-outs that hold instead of the gateway's."""

    go_type: ClassVar[str] = "v1alpha1.HTTPScaledObjectTimeoutsSpec"

    condition_wait: Annotated[str, Keep()] = ""
    """How long a request waits for a first replica."""
    response_header: Annotated[str, Keep()] = ""
    """How long a replica may take until its response begins."""


class Header(Model):
    """A header that requests have to have."""

    go_type: ClassVar[str] = "v1alpha1.Header"

    name: Name = ""
    """Its name."""
    value: str | None = None
    """Its value; any where nothing is said."""


class HTTPScaledObjectSpec(Model):
    """Which requests go where, and what is scaled by them."""

    go_type: ClassVar[str] = "v1alpha1.HTTPScaledObjectSpec"

    hosts: list[str] = Field(default_factory=list)
    """Host names of the requests; *.example.com and * are allowed."""
    path_prefixes: list[str] = Field(default_factory=list)
    """Beginnings of their paths."""
    headers: Annotated[list[Header], by_key("name")] = Field(default_factory=list)
    """Headers, all of which they have to have."""
    scale_target_ref: Needed[ScaleTargetRef] = Field(default_factory=ScaleTargetRef)
    """What is scaled, and the Service that requests go to."""
    cold_start_timeout_failover_ref: FailoverRef | None = None
    """The Service that gets requests when the target is not there in time."""
    replicas: Replicas | None = None
    """Bounds of the scale."""
    target_pending_requests: Int32 | None = None
    """Deprecated: scalingMetric.concurrency.targetValue."""
    scaledown_period: Int32 | None = None
    """Seconds after the last request before the target goes to zero; 300 if not said."""
    initial_cooldown_period: Int32 | None = None
    """Seconds after creation before it may go to zero; 0 where nothing is said."""
    scaling_metric: ScalingMetric | None = None
    """What the scale follows; requests at a time where nothing is said."""
    timeouts: Timeouts | None = None
    """Time-outs that hold instead of the gateway's."""


class HTTPScaledObjectStatus(Model):
    """What has become of it."""

    go_type: ClassVar[str] = "v1alpha1.HTTPScaledObjectStatus"

    target_workload: str = ""
    """The workload, as apiVersion/kind/name."""
    target_service: str = ""
    """The Service, as name:port."""
    conditions: Annotated[list[KubeCondition], by_key("type")] = Field(default_factory=list)
    """Ready."""


class HTTPScaledObject(Kind):
    """A whole HTTPScaledObject."""

    spec: HTTPScaledObjectSpec = Field(default_factory=HTTPScaledObjectSpec)
    status: HTTPScaledObjectStatus = Field(default_factory=HTTPScaledObjectStatus)


CRD = crd(
    keys.HTTPSCALEDOBJECTS,
    Version(
        "v1alpha1",
        HTTPScaledObjectSpec,
        HTTPScaledObjectStatus,
        columns=(
            ("TargetWorkload", "string", ".status.targetWorkload"),
            ("TargetService", "string", ".status.targetService"),
            ("MinReplicas", "integer", ".spec.replicas.min"),
            ("MaxReplicas", "integer", ".spec.replicas.max"),
            AGE,
            state_column("Ready"),
        ),
        description="Routes requests to a workload and scales it by them.",
    ),
    app="http-add-on",
    short_names=("httpso",),
)

"""InterceptorRoute: which requests go to a Service that may be at zero; what is counted of them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from hearth.keda.api import keys
from hearth.keda.api.shapes import (
    AGE,
    ATOMIC,
    Kind,
    KubeCondition,
    Name,
    Needed,
    Positive,
    by_key,
    crd,
    one_of,
    rules,
    state_column,
)
from hearth.kube.crdgen import Version
from hearth.kube.models import Int32, Model, Schema

_Port = Annotated[Int32, Schema({"minimum": 1, "maximum": 65535})]
_PortName = Annotated[str, Schema({"minLength": 1})]
_ONE_PORT = rules(
    ("has(self.port) != has(self.portName)", "exactly one of 'port' or 'portName' must be set")
)


class PathMatch(Model):
    """A beginning of a path."""

    go_type: ClassVar[str] = "v1beta1.PathMatch"

    value: Name = ""
    """The beginning; the longest that fits counts."""


class HeaderMatch(Model):
    """A header that requests have to have."""

    go_type: ClassVar[str] = "v1beta1.HeaderMatch"

    name: Name = ""
    """Its name."""
    value: str | None = None
    """Its value; any where nothing is said."""


class RoutingRule(Model):
    """What a request has to be like."""

    go_type: ClassVar[str] = "v1beta1.RoutingRule"

    hosts: Annotated[list[str], Schema({"x-kubernetes-list-type": "set"})] = Field(
        default_factory=list
    )
    """One of these host names; *.example.com and * are allowed."""
    paths: Annotated[list[PathMatch], ATOMIC] = Field(default_factory=list)
    """One of these beginnings of its path."""
    headers: Annotated[list[HeaderMatch], by_key("name")] = Field(default_factory=list)
    """All of these headers."""


class ConcurrencyTarget(Model):
    """Scaled by requests at a time."""

    go_type: ClassVar[str] = "v1beta1.ConcurrencyTargetSpec"

    target_value: Needed[Positive] = 0
    """Requests at a time for each replica."""


class RequestRateTarget(Model):
    """Scaled by requests a second."""

    go_type: ClassVar[str] = "v1beta1.RequestRateTargetSpec"

    granularity: Annotated[str, Schema({"default": "1s"})] = "1s"
    """In steps of which length they are counted."""
    target_value: Needed[Positive] = 0
    """Requests a second for each replica."""
    window: Annotated[str, Schema({"default": "1m"})] = "1m"
    """Over how long the rate is taken."""


class ScalingMetric(Model):
    """What the scale follows; of both, what wants more."""

    go_type: ClassVar[str] = "v1beta1.ScalingMetricSpec"
    schema_extra: ClassVar[dict[str, Any]] = rules(
        (
            "has(self.concurrency) || has(self.requestRate)",
            "at least one of 'concurrency' or 'requestRate' must be set",
        )
    )

    concurrency: ConcurrencyTarget | None = None
    """Requests at a time."""
    request_rate: RequestRateTarget | None = None
    """Requests a second."""


class TargetRef(Model):
    """The Service that requests go to."""

    go_type: ClassVar[str] = "v1beta1.TargetRef"
    schema_extra: ClassVar[dict[str, Any]] = _ONE_PORT

    service: Name = ""
    """Its name."""
    port: _Port = 0
    """Its port; or portName."""
    port_name: _PortName = ""
    """Its port's name; or port."""


class ServiceRef(Model):
    """Another Service that requests may go to."""

    go_type: ClassVar[str] = "v1beta1.ServiceRef"
    schema_extra: ClassVar[dict[str, Any]] = _ONE_PORT

    name: Name = ""
    """Its name."""
    port: _Port = 0
    """Its port; or portName."""
    port_name: _PortName = ""
    """Its port's name; or port."""


class ConfigMapKeyRef(Model):
    """A member of a ConfigMap."""

    go_type: ClassVar[str] = "v1beta1.ConfigMapKeyRef"

    name: Name = ""
    """Name of the ConfigMap, which has the label http.keda.sh/response-body: "true"."""
    key: str = ""
    """The member; the request's path where nothing is said, index.html for /."""


class StaticResponse(Model):
    """A response that no pod is needed for."""

    go_type: ClassVar[str] = "v1beta1.StaticResponse"
    schema_extra: ClassVar[dict[str, Any]] = rules(
        (
            "!(has(self.body) && has(self.bodyFromConfigMap))",
            "at most one of 'body' or 'bodyFromConfigMap' may be set",
        )
    )

    status_code: Annotated[Int32, Schema({"minimum": 100, "maximum": 599})] = 0
    """Its status."""
    body: Annotated[str, Schema({"maxLength": 32768})] | None = None
    """Its body."""
    body_from_config_map: ConfigMapKeyRef | None = None
    """Its body, as a member of a ConfigMap of the same namespace."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Its headers."""


class ColdStartFallback(Model):
    """Where requests go when the target is not there in time."""

    go_type: ClassVar[str] = "v1beta1.ColdStartFallback"

    service: Needed[ServiceRef | None] = None
    """The Service."""


class ColdStartPlaceholder(Model):
    """What is answered while the target is not there."""

    go_type: ClassVar[str] = "v1beta1.ColdStartPlaceholder"

    response: Needed[StaticResponse | None] = None
    """The response."""


class ColdStart(Model):
    """What holds while the target is not there. The last two members are the add-on's 0.16."""

    go_type: ClassVar[str] = "v1beta1.ColdStartSpec"
    schema_extra: ClassVar[dict[str, Any]] = rules(
        (
            "has(self.fallback) || has(self.placeholder) || has(self.maxPendingRequests)",
            "at least one of 'fallback', 'placeholder', or 'maxPendingRequests' must be set",
        ),
        (
            "!has(self.overflow) || self.overflow != 'Placeholder' || has(self.placeholder)",
            "'placeholder' must be set when 'overflow' is 'Placeholder'",
        ),
    )

    fallback: ColdStartFallback | None = None
    """Where requests go when the target is not there in time."""
    placeholder: ColdStartPlaceholder | None = None
    """What is answered while the target is not there."""
    max_pending_requests: Positive | None = None
    """How many requests are held for it; the gateway's limit where nothing is said."""
    overflow: Annotated[str, one_of("Reject", "Placeholder")] = ""
    """What those beyond get: 503 (where nothing is said), or the placeholder."""


class Timeouts(Model):
    """Time-outs that hold instead of the gateway's; "0s" is none."""

    go_type: ClassVar[str] = "v1beta1.InterceptorRouteTimeouts"

    readiness: str | None = None
    """How long a request waits for the target; 30s for "0s" where there is a fallback."""
    request: str | None = None
    """How long all of a request may take."""
    response_header: str | None = None
    """How long the target may take until its response begins."""


class StaticRoute(Model):
    """Requests that are answered without a pod and not counted."""

    go_type: ClassVar[str] = "v1beta1.StaticRoute"

    rules: Annotated[Needed[list[RoutingRule]], ATOMIC, Schema({"minItems": 1})] = Field(
        default_factory=list
    )
    """What they are like; one of these has to hold."""
    response: Needed[StaticResponse] = Field(default_factory=StaticResponse)
    """What is answered."""
    response_mode: Annotated[
        str, one_of("Always", "WhenUnavailable"), Schema({"default": "WhenUnavailable"})
    ] = "WhenUnavailable"
    """Always, or only while the target is not there."""


class InterceptorRouteSpec(Model):
    """Which requests go where, and how they are counted."""

    go_type: ClassVar[str] = "v1beta1.InterceptorRouteSpec"

    target: Needed[TargetRef] = Field(default_factory=TargetRef)
    """The Service that requests go to."""
    cold_start: ColdStart | None = None
    """What holds while the target is not there."""
    timeouts: Timeouts = Field(default_factory=Timeouts)
    """Time-outs that hold instead of the gateway's."""
    rules: Annotated[list[RoutingRule], ATOMIC] = Field(default_factory=list)
    """What requests are like; one of these has to hold."""
    scaling_metric: Needed[ScalingMetric] = Field(default_factory=ScalingMetric)
    """What the scale follows."""
    static_routes: Annotated[list[StaticRoute], ATOMIC] = Field(default_factory=list)
    """Requests that are answered without a pod and not counted; the first that fits counts."""


class InterceptorRouteStatus(Model):
    """What has become of it."""

    go_type: ClassVar[str] = "v1beta1.InterceptorRouteStatus"

    conditions: Annotated[list[KubeCondition], by_key("type")] = Field(default_factory=list)
    """Ready."""


class InterceptorRoute(Kind):
    """A whole InterceptorRoute."""

    spec: InterceptorRouteSpec = Field(default_factory=InterceptorRouteSpec)
    status: InterceptorRouteStatus = Field(default_factory=InterceptorRouteStatus)


CRD = crd(
    keys.INTERCEPTORROUTES,
    Version(
        "v1beta1",
        InterceptorRouteSpec,
        InterceptorRouteStatus,
        columns=(
            ("TargetService", "string", ".spec.target.service"),
            state_column("Ready"),
            AGE,
        ),
        required=("metadata", "spec"),
        description="Routes requests to a Service that may be at zero, and counts them.",
    ),
    app="http-add-on",
    short_names=("ir",),
)

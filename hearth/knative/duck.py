"""Duck types: the shapes that kinds of serving and eventing share (knative.dev/pkg, eventing/duck).

References, destinations, addresses, delivery, conditions and status, as models of the CRDs.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from hearth.kube.models import (
    PRESERVE,
    GoType,
    Hidden,
    Int32,
    Int64,
    Kept,
    Model,
    Required,
    Schema,
    Url,
)

STRING_MAP = dict[str, str]


class LabelSelectorRequirement(Model):
    """One requirement of a selector."""

    key: Kept[str] = ""
    operator: Kept[str] = ""
    values: list[str] = Field(default_factory=list)


class LabelSelector(Model):
    """Objects by their labels."""

    match_labels: Annotated[STRING_MAP, Schema(PRESERVE, whole=True)] = Field(default_factory=dict)
    match_expressions: list[LabelSelectorRequirement] = Field(default_factory=list)


class KReference(Model):
    """Names an object, in the referrer's namespace unless it says another."""

    go_type: ClassVar[str] = "v1.KReference"

    kind: Kept[str] = ""
    """Kind of the object referred to."""
    namespace: str = ""
    """Namespace of the object referred to; by default that of the object that refers."""
    name: Kept[str] = ""
    """Name of the object referred to."""
    api_version: str = ""
    """API version of the object referred to."""
    group: Annotated[str, Hidden()] = ""
    """API group of the object referred to, instead of apiVersion; needs a feature flag."""
    address: Annotated[str | None, Hidden()] = None
    """Which of the object's addresses to use, by name."""


class Destination(Model):
    """Where events go: an object with an address, a URL, or a path below an object's address."""

    go_type: ClassVar[str] = "v1.Destination"

    ref: KReference | None = None
    """An object that has an address."""
    uri: Annotated[Url | None, Schema({"type": "string"}, whole=True)] = None
    """An absolute URL, or one relative to the address of ref."""
    ca_certs: Annotated[str | None, Field(alias="CACerts")] = None
    """Certificates (PEM) to trust when sending there."""
    audience: str | None = None
    """OIDC audience of the destination."""


class DeliverySpec(Model):
    """How hard to try, and what to do with what cannot be delivered."""

    go_type: ClassVar[str] = "v1.DeliverySpec"
    schema_extra: ClassVar[dict[str, Any]] = {"x-kubernetes-preserve-unknown-fields": True}

    dead_letter_sink: Destination | None = None
    """Where events go that could not be delivered."""
    retry: Int32 | None = None
    """How many more attempts to make after the first one failed."""
    timeout: str | None = None
    """How long to wait for the answer of each attempt (ISO 8601)."""
    backoff_policy: Annotated[str, GoType("v1.BackoffPolicyType")] | None = None
    """How waits grow: linear or exponential."""
    backoff_delay: str | None = None
    """The wait that the policy multiplies (ISO 8601)."""
    backoff_max: str | None = None
    """The longest wait that the policy comes to (ISO 8601); needs a feature flag."""
    retry_after_max: str | None = None
    """The longest Retry-After to honour (ISO 8601); needs a feature flag."""
    format: Annotated[str, GoType("v1.FormatType")] | None = None
    """The mode events are sent in: json (structured) or binary."""


class Condition(Model):
    """One entry of ``status.conditions``."""

    type: Annotated[str, Required()] = ""
    """Type of condition."""
    status: Annotated[str, Required()] = ""
    """True, False or Unknown."""
    severity: str = ""
    """Error when left out; Info conditions do not count for Ready."""
    last_transition_time: str = ""
    """When the condition changed last."""
    reason: str = ""
    """One word for the last change."""
    message: str = ""
    """What a person should know of it."""


class Addressable(Model):
    """An address that events or requests can be sent to."""

    go_type: ClassVar[str] = "v1.Addressable"

    name: str | None = None
    url: str | None = None
    ca_certs: Annotated[str | None, Field(alias="CACerts")] = None
    audience: str | None = None


class Status(Model):
    """What the status of every kind has."""

    observed_generation: Int64 = 0
    """The generation of the object last dealt with."""
    conditions: list[Condition] = Field(default_factory=list)
    """What is known of the object's state; Ready sums it up."""
    annotations: STRING_MAP = Field(default_factory=dict)
    """More of the state, in any words."""


class DeliveryStatus(Model):
    """What became of a DeliverySpec."""

    dead_letter_sink_uri: str | None = None
    """Where events go that could not be delivered, resolved."""
    dead_letter_sink_ca_certs: Annotated[str | None, Field(alias="deadLetterSinkCACerts")] = None
    """Certificates (PEM) to trust when sending there."""
    dead_letter_sink_audience: str | None = None
    """OIDC audience of the dead letter sink."""

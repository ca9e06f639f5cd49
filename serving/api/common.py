"""Types that several kinds of serving share: metadata of templates, conditions, addresses."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from hearth.kube.models import Hidden, Int64, Model, Required

STRING_MAP = dict[str, str]


class ObjectMeta(Model):
    """Metadata of a template. Its schema also keeps what is not listed there."""

    schema_extra: ClassVar[dict[str, Any]] = {"x-kubernetes-preserve-unknown-fields": True}

    name: str = ""
    generate_name: Annotated[str, Hidden()] = ""
    namespace: str = ""
    labels: STRING_MAP = Field(default_factory=dict)
    annotations: STRING_MAP = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)


class Condition(Model):
    type: Annotated[str, Required()] = ""
    """Type of condition."""
    status: Annotated[str, Required()] = ""
    """Status of the condition: True, False or Unknown."""
    severity: str = ""
    """Error when left out; Info conditions do not count for Ready."""
    last_transition_time: str = ""
    """When the status changed last."""
    reason: str = ""
    """One word for the last transition."""
    message: str = ""
    """What a person should know of it."""


class Status(Model):
    """What the status of every Knative kind has."""

    observed_generation: Int64 = 0
    """The generation of the object last dealt with."""
    conditions: list[Condition] = Field(default_factory=list)
    """What is known of the object's state; Ready sums it up."""
    annotations: STRING_MAP = Field(default_factory=dict)
    """More of the state, in any words."""


class Addressable(Model):
    go_type: ClassVar[str] = "v1.Addressable"

    name: str | None = None
    url: str | None = None
    ca_certs: str | None = Field(default=None, alias="CACerts")
    audience: str | None = None

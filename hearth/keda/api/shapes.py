"""What several of KEDA's kinds have in common: triggers, conditions, what a field's schema asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import Field

from hearth.keda.api import keys
from hearth.kube.crdgen import Column, Crd, Version
from hearth.kube.models import Int32, Int64, Keep, Model, Required, Schema
from hearth.kube.resources import Resource

T = TypeVar("T")

Needed = Annotated[T, Keep(), Required()]
"""A member that has to be there."""
Name = Annotated[str, Keep(), Required(), Schema({"minLength": 1})]
Natural = Annotated[Int32, Schema({"minimum": 0})]
Positive = Annotated[Int32, Schema({"minimum": 1})]
Time = Annotated[str, Schema({"format": "date-time"})]

AGE: Column = ("Age", "date", ".metadata.creationTimestamp")


def one_of(*values: str) -> Schema:
    """The only values that a field takes."""
    return Schema({"enum": list(values)})


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Rules in CEL, each with what is said when it does not hold."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": text} for rule, text in pairs]}


ATOMIC = Schema({"x-kubernetes-list-type": "atomic"})


def by_key(key: str) -> Schema:
    """A list whose entries are told apart by one member."""
    return Schema({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]})


def state_column(condition: str) -> Column:
    """The column that shows the status of a condition."""
    return condition, "string", f'.status.conditions[?(@.type=="{condition}")].status'


class Condition(Model):
    """One condition as KEDA writes it: without times."""

    go_type: ClassVar[str] = "v1alpha1.Condition"

    type: Needed[str] = ""
    """Which condition."""
    status: Needed[str] = ""
    """True, False or Unknown."""
    reason: str = ""
    """The reason of the last change, in one word."""
    message: str = ""
    """Details about it."""


class KubeCondition(Model):
    """One condition as Kubernetes' own kinds have it (metav1.Condition)."""

    go_type: ClassVar[str] = "v1.Condition"

    type: Annotated[
        str,
        Keep(),
        Required(),
        Schema(
            {
                "maxLength": 316,
                "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
                r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
            }
        ),
    ] = ""
    """Which condition."""
    status: Annotated[str, Keep(), Required(), one_of("True", "False", "Unknown")] = ""
    """True, False or Unknown."""
    observed_generation: Annotated[Int64, Schema({"minimum": 0})] = 0
    """The generation of the object that it tells of."""
    last_transition_time: Annotated[Time, Keep(), Required()] = ""
    """When the status changed last."""
    reason: Annotated[
        str,
        Keep(),
        Required(),
        Schema(
            {
                "maxLength": 1024,
                "minLength": 1,
                "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            }
        ),
    ] = ""
    """The reason of the last change, in one word."""
    message: Annotated[str, Keep(), Required(), Schema({"maxLength": 32768})] = ""
    """Details about it."""


class AuthenticationRef(Model):
    """Which TriggerAuthentication gives a trigger its credentials."""

    go_type: ClassVar[str] = "v1alpha1.AuthenticationRef"

    name: Needed[str] = ""
    """Its name."""
    kind: Annotated[str, one_of("TriggerAuthentication", "ClusterTriggerAuthentication")] = ""
    """Its kind; TriggerAuthentication where nothing is said."""

    @property
    def is_cluster_wide(self) -> bool:
        """Whether a ClusterTriggerAuthentication is meant."""
        return self.kind == keys.CLUSTERTRIGGERAUTHENTICATIONS.kind


class JobTrigger(Model):
    """What is looked at to decide how many Jobs there should be."""

    go_type: ClassVar[str] = "v1alpha1.ScaleTriggers"

    type: Name = ""
    """The scaler: one of those that docs/keda.md lists."""
    name: str = ""
    """A name that a formula may use; no two triggers of an object have the same."""
    use_cached_metrics: bool = False
    """Whether what the last poll read is told to the autoscaler, and nothing is read for it."""
    metadata: Needed[dict[str, str]] = Field(default_factory=dict)
    """Parameters of the scaler."""
    authentication_ref: AuthenticationRef | None = None
    """Where its credentials come from."""


class Trigger(JobTrigger):
    """What is looked at to decide how many replicas there should be."""

    metric_type: str = ""
    """AverageValue, Value, or Utilization (cpu and memory alone)."""


class TriggerActivity(Model):
    """Whether a trigger asks for more than nothing."""

    go_type: ClassVar[str] = "v1alpha1.TriggerActivityStatus"

    is_active: Annotated[bool, Keep()] = False


def names_of_triggers(triggers: Sequence[JobTrigger]) -> tuple[str, str]:
    """Give the types of triggers and the names of authentications, as the status tells them."""
    types = dict.fromkeys(each.type for each in triggers)
    refs = dict.fromkeys(
        each.authentication_ref.name for each in triggers if each.authentication_ref is not None
    )
    return ",".join(types), ",".join(refs)


def is_set(annotations: dict[str, str], key: str) -> bool:
    """Whether an annotation says yes, as KEDA reads it: what is no boolean counts as yes."""
    false = ("0", "f", "F", "FALSE", "false", "False")
    return key in annotations and annotations[key] not in false


class Kind(Model):
    """One whole object; ``metadata`` stays as it is."""

    metadata: dict[str, Any] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        """Its namespace; empty for cluster-wide kinds."""
        return str(self.metadata.get("namespace", ""))

    @property
    def annotations(self) -> dict[str, str]:
        """Its annotations."""
        return self.metadata.get("annotations") or {}

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return self.metadata.get("labels") or {}


def crd(
    resource: Resource, version: Version, *, app: str = "keda", short_names: Sequence[str] = ()
) -> Crd:
    """The definition of a kind of which one version is served."""
    return Crd(
        resource.group,
        resource.kind,
        resource.plural,
        (version,),
        short_names=short_names,
        labels={"app.kubernetes.io/name": app},
        namespaced=resource.namespaced,
    )

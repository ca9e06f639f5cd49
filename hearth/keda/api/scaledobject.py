"""ScaledObject: a workload whose number of replicas follows what happens elsewhere."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from hearth.keda.api import keys
from hearth.keda.api.hpabehavior import Behavior
from hearth.keda.api.shapes import (
    AGE,
    Condition,
    Kind,
    Name,
    Natural,
    Needed,
    Positive,
    Time,
    Trigger,
    TriggerActivity,
    crd,
    is_set,
    one_of,
    rules,
    state_column,
)
from hearth.kube.crdgen import Version
from hearth.kube.models import Int32, Model, Schema
from serving.api.wishes import REVISION, SERVICE

BEHAVIORS = (
    "static",
    "currentReplicas",
    "currentReplicasIfHigher",
    "currentReplicasIfLower",
    "scalingModifiers",
)


class ScaleTarget(Model):
    """What is scaled."""

    go_type: ClassVar[str] = "v1alpha1.ScaleTarget"

    name: Name = ""
    """Its name."""
    api_version: str = ""
    """Its group and version; apps/v1 where nothing is said."""
    kind: str = ""
    """Its kind; Deployment where nothing is said."""
    env_source_container_name: str = ""
    """The container whose environment triggers may use; the first where nothing is said."""

    @property
    def is_knative(self) -> bool:
        """Whether it is what Knative's autoscaler scales."""
        return self.api_version.startswith("serving.knative.dev/") and self.kind in (
            SERVICE,
            REVISION,
        )


class HorizontalPodAutoscalerConfig(Model):
    """What the HorizontalPodAutoscaler is made with."""

    go_type: ClassVar[str] = "v1alpha1.HorizontalPodAutoscalerConfig"

    behavior: Behavior | None = None
    """How fast the scale changes."""
    name: str = ""
    """Its name; keda-hpa-NAME where nothing is said."""


class ScalingModifiers(Model):
    """One metric made of all by a formula."""

    go_type: ClassVar[str] = "v1alpha1.ScalingModifiers"

    formula: str = ""
    """An expression over the names of triggers (docs/keda.md)."""
    target: str = ""
    """The number that the result is compared with."""
    activation_target: str = ""
    """What the result has to exceed for leaving zero; 0 where nothing is said."""
    metric_type: Annotated[str, one_of("AverageValue", "Value")] = ""
    """AverageValue where nothing is said."""


class AdvancedConfig(Model):
    """What few need."""

    go_type: ClassVar[str] = "v1alpha1.AdvancedConfig"

    horizontal_pod_autoscaler_config: HorizontalPodAutoscalerConfig | None = None
    """What the HorizontalPodAutoscaler is made with."""
    restore_to_original_replica_count: bool = False
    """Whether the target gets back the scale it had, when the ScaledObject is deleted."""
    scaling_modifiers: ScalingModifiers = Field(default_factory=ScalingModifiers)
    """One metric made of all by a formula."""


class Fallback(Model):
    """What holds while triggers cannot be read."""

    go_type: ClassVar[str] = "v1alpha1.Fallback"

    failure_threshold: Needed[Natural] = 0
    """After how many failures in a row."""
    replicas: Needed[Natural] = 0
    """How many replicas there are then."""
    behavior: Annotated[str, one_of(*BEHAVIORS), Schema({"default": "static"})] = "static"
    """How ``replicas`` and the number of the moment are weighed."""


class ScaledObjectSpec(Model):
    """What is scaled, by which triggers, within which bounds."""

    go_type: ClassVar[str] = "v1alpha1.ScaledObjectSpec"
    schema_extra: ClassVar[dict[str, Any]] = rules(
        (
            "!has(self.minReplicaCount) || self.minReplicaCount <= "
            "(has(self.maxReplicaCount) ? self.maxReplicaCount : 100)",
            "minReplicaCount must be less than or equal to maxReplicaCount",
        )
    )

    scale_target_ref: Needed[ScaleTarget] = Field(default_factory=ScaleTarget)
    """What is scaled."""
    polling_interval: Positive | None = None
    """Seconds between two looks at the triggers; 30 where nothing is said."""
    initial_cooldown_period: Natural | None = None
    """Seconds after creation before the target may go to zero; 0 where nothing is said."""
    cooldown_period: Natural | None = None
    """Seconds after the last activity before the target goes to zero; 300 if not said."""
    idle_replica_count: Natural | None = None
    """Replicas while no trigger is active, below minReplicaCount."""
    min_replica_count: Natural | None = None
    """The fewest replicas; 0 where nothing is said."""
    max_replica_count: Positive | None = None
    """The most replicas; 100 where nothing is said."""
    advanced: AdvancedConfig | None = None
    """What few need."""
    triggers: Annotated[Needed[list[Trigger]], Schema({"minItems": 1})] = Field(
        default_factory=list
    )
    """What is looked at; the one that wants most decides."""
    fallback: Fallback | None = None
    """What holds while triggers cannot be read."""


class GroupVersionKindResource(Model):
    """The kind of the target in full."""

    go_type: ClassVar[str] = "v1alpha1.GroupVersionKindResource"

    group: Needed[str] = ""
    version: Needed[str] = ""
    kind: Needed[str] = ""
    resource: Needed[str] = ""


class HealthStatus(Model):
    """How reading one metric goes."""

    go_type: ClassVar[str] = "v1alpha1.HealthStatus"

    number_of_failures: Int32 | None = None
    """Failures in a row."""
    status: str = ""
    """Happy or Failing."""


class ScaledObjectStatus(Model):
    """What has become of it."""

    go_type: ClassVar[str] = "v1alpha1.ScaledObjectStatus"

    scale_target_kind: str = ""
    """Group, version and kind of the target: apps/v1.Deployment."""
    scale_target_gvkr: Annotated[
        GroupVersionKindResource | None, Field(alias="scaleTargetGVKR")
    ] = None
    """The same in parts, with the resource's name."""
    original_replica_count: Int32 | None = None
    """The target's scale before."""
    last_active_time: Time | None = None
    """When a trigger was active last."""
    external_metric_names: list[str] = Field(default_factory=list)
    """Metrics that the HorizontalPodAutoscaler asks us for."""
    resource_metric_names: list[str] = Field(default_factory=list)
    """Metrics that it has from Kubernetes: cpu, memory."""
    composite_scaler_name: str = ""
    """The name of the metric that a formula makes."""
    conditions: list[Condition] = Field(default_factory=list)
    """Ready, Active, Fallback, Paused, HPAActive."""
    health: dict[str, HealthStatus] = Field(default_factory=dict)
    """By metric, how reading it goes."""
    triggers_activity: dict[str, TriggerActivity] = Field(default_factory=dict)
    """By metric, whether it is active."""
    paused_replica_count: Int32 | None = None
    """The scale that it is held at."""
    hpa_name: str = ""
    """The HorizontalPodAutoscaler that was made."""
    triggers_types: str | None = None
    """Types of its triggers, for the table."""
    authentications_types: str | None = None
    """Names of its authentications, for the table."""


class ScaledObject(Kind):
    """A whole ScaledObject, with what follows from its spec and annotations alone."""

    spec: ScaledObjectSpec = Field(default_factory=ScaledObjectSpec)
    status: ScaledObjectStatus = Field(default_factory=ScaledObjectStatus)

    @property
    def modifiers(self) -> ScalingModifiers | None:
        """The formula and what belongs to it; None where none of it is given."""
        advanced = self.spec.advanced
        if advanced is None or advanced.scaling_modifiers == ScalingModifiers():
            return None
        return advanced.scaling_modifiers

    @property
    def hpa_config(self) -> HorizontalPodAutoscalerConfig:
        """What its HorizontalPodAutoscaler is made with."""
        given = self.spec.advanced and self.spec.advanced.horizontal_pod_autoscaler_config
        return given or HorizontalPodAutoscalerConfig()

    @property
    def hpa_name(self) -> str:
        """The name that its HorizontalPodAutoscaler has to have."""
        return self.hpa_config.name or keys.HPA_PREFIX + self.name

    @property
    def hpa_min_replicas(self) -> int:
        """The fewest replicas that the HorizontalPodAutoscaler knows of: never 0."""
        return self.spec.min_replica_count or 1

    @property
    def max_replicas(self) -> int:
        """The most replicas."""
        given = self.spec.max_replica_count
        return 100 if given is None else given

    @property
    def is_paused(self) -> bool:
        """Whether annotations say that nothing is to be scaled."""
        notes = self.annotations
        return keys.PAUSED_REPLICAS_ANNOTATION in notes or is_set(notes, keys.PAUSED_ANNOTATION)

    @property
    def paused_replicas(self) -> int | None:
        """The scale that an annotation holds it at; ValueError where that is no number."""
        given = self.annotations.get(keys.PAUSED_REPLICAS_ANNOTATION)
        return None if given is None else int(given)

    @property
    def pauses_scale_in(self) -> bool:
        """Whether an annotation forbids fewer replicas."""
        return is_set(self.annotations, keys.PAUSED_SCALE_IN_ANNOTATION)

    @property
    def goes_to_zero_from_one(self) -> bool:
        """Whether an annotation leaves the way down to one to the HPA."""
        return is_set(self.annotations, keys.ZERO_FROM_ONE_ANNOTATION)

    @property
    def pauses_scale_out(self) -> bool:
        """Whether an annotation forbids more replicas."""
        return is_set(self.annotations, keys.PAUSED_SCALE_OUT_ANNOTATION)

    @property
    def forces_activation(self) -> bool:
        """Whether an annotation asks that the target leaves zero whatever triggers say."""
        return is_set(self.annotations, keys.FORCE_ACTIVATION_ANNOTATION)


CRD = crd(
    keys.SCALEDOBJECTS,
    Version(
        "v1alpha1",
        ScaledObjectSpec,
        ScaledObjectStatus,
        columns=(
            ("ScaleTargetKind", "string", ".status.scaleTargetKind"),
            ("ScaleTargetName", "string", ".spec.scaleTargetRef.name"),
            ("Min", "integer", ".spec.minReplicaCount"),
            ("Max", "integer", ".spec.maxReplicaCount"),
            *map(state_column, ("Ready", "Active", "Fallback", "Paused")),
            ("Triggers", "string", ".status.triggersTypes"),
            ("Authentications", "string", ".status.authenticationsTypes"),
            AGE,
        ),
        required=("spec",),
        description="Scales a workload by what happens elsewhere.",
    ),
    short_names=("so",),
)

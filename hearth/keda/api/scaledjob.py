"""ScaledJob: Jobs that are started as there is work."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from hearth.keda.api import keys
from hearth.keda.api.shapes import (
    AGE,
    Condition,
    JobTrigger,
    Kind,
    Natural,
    Needed,
    Positive,
    Time,
    TriggerActivity,
    crd,
    is_set,
    one_of,
    state_column,
)
from hearth.kube.crdgen import Version
from hearth.kube.models import PRESERVE, Int32, Model, Schema

_ROLLOUTS = ("gradual", "immediate")
_JOB = {
    **PRESERVE,
    "required": ["template"],
    "properties": {
        "template": {**PRESERVE, "required": ["spec"], "properties": {"spec": PRESERVE}}
    },
}
"""The rest is what Kubernetes says of Jobs: admission has it tried there."""


class Rollout(Model):
    """What becomes of Jobs when the ScaledJob changes."""

    go_type: ClassVar[str] = "v1alpha1.Rollout"

    strategy: Annotated[str, one_of(*_ROLLOUTS)] = ""
    """immediate ends the old ones (as where nothing is said), gradual lets them run."""
    propagation_policy: Annotated[str, one_of("foreground", "background")] = ""
    """How old ones are deleted; background where nothing is said."""


class ScalingStrategy(Model):
    """How many Jobs are started."""

    go_type: ClassVar[str] = "v1alpha1.ScalingStrategy"

    strategy: Annotated[str, one_of("default", "custom", "accurate", "eager")] = ""
    """The way of reckoning; default where nothing is said."""
    custom_scaling_queue_length_deduction: Int32 | None = None
    """custom: what is taken off the length of the queue."""
    custom_scaling_running_job_percentage: str = ""
    """custom: which part of the running Jobs is taken off, 0 to 1."""
    pending_pod_conditions: list[str] = Field(default_factory=list)
    """Conditions of a pod that make its Job count as started."""
    multiple_scalers_calculation: Annotated[str, one_of("min", "avg", "sum", "max")] = ""
    """What is made of several triggers; max where nothing is said."""


class ScaledJobSpec(Model):
    """Which Jobs are started, by which triggers, within which bounds."""

    go_type: ClassVar[str] = "v1alpha1.ScaledJobSpec"

    job_target_ref: Annotated[Needed[dict[str, Any]], Schema(_JOB, whole=True)] = Field(
        default_factory=dict
    )
    """The spec of each Job."""
    polling_interval: Positive | None = None
    """Seconds between two looks at the triggers; 30 where nothing is said."""
    successful_jobs_history_limit: Natural | None = None
    """How many Jobs that succeeded are kept; 100 where nothing is said."""
    failed_jobs_history_limit: Natural | None = None
    """How many Jobs that failed are kept; 100 where nothing is said."""
    rollout_strategy: Annotated[str, one_of(*_ROLLOUTS)] = ""
    """Deprecated: rollout.strategy."""
    rollout: Rollout = Field(default_factory=Rollout)
    """What becomes of Jobs when the ScaledJob changes."""
    env_source_container_name: str = ""
    """The container whose environment triggers may use; the first where nothing is said."""
    min_replica_count: Natural | None = None
    """Jobs that run even without work; 0 where nothing is said."""
    max_replica_count: Positive | None = None
    """The most Jobs at a time; 100 where nothing is said."""
    scaling_strategy: ScalingStrategy = Field(default_factory=ScalingStrategy)
    """How many Jobs are started."""
    triggers: Annotated[Needed[list[JobTrigger]], Schema({"minItems": 1})] = Field(
        default_factory=list
    )
    """What is looked at."""


class ScaledJobStatus(Model):
    """What has become of it."""

    go_type: ClassVar[str] = "v1alpha1.ScaledJobStatus"

    last_active_time: Time | None = None
    """When a trigger was active last."""
    conditions: list[Condition] = Field(default_factory=list)
    """Ready, Active, Fallback, Paused."""
    paused: Annotated[str, Field(alias="Paused")] = ""
    """Whether it is paused."""
    triggers_types: str | None = None
    """Types of its triggers, for the table."""
    authentications_types: str | None = None
    """Names of its authentications, for the table."""
    external_metric_names: list[str] = Field(default_factory=list)
    """Metrics of its triggers."""
    triggers_activity: dict[str, TriggerActivity] = Field(default_factory=dict)
    """By metric, whether it is active."""


class ScaledJob(Kind):
    """A whole ScaledJob, with what follows from its spec and annotations alone."""

    spec: ScaledJobSpec = Field(default_factory=ScaledJobSpec)
    status: ScaledJobStatus = Field(default_factory=ScaledJobStatus)

    @property
    def min_replicas(self) -> int:
        """Jobs that run without work; never more than there may be at all."""
        given, most = self.spec.min_replica_count or 0, self.spec.max_replica_count
        return given if most is None else min(given, most)

    @property
    def max_replicas(self) -> int:
        """The most Jobs that triggers may ask for, those of ``min_replicas`` not counted."""
        least, most = self.spec.min_replica_count or 0, self.spec.max_replica_count
        if most is None:
            return 100
        return most if least > most else most - least

    @property
    def is_paused(self) -> bool:
        """Whether an annotation says that nothing is to be started."""
        return is_set(self.annotations, keys.PAUSED_ANNOTATION)


CRD = crd(
    keys.SCALEDJOBS,
    Version(
        "v1alpha1",
        ScaledJobSpec,
        ScaledJobStatus,
        columns=(
            ("Min", "integer", ".spec.minReplicaCount"),
            ("Max", "integer", ".spec.maxReplicaCount"),
            *map(state_column, ("Ready", "Active", "Paused")),
            ("Triggers", "string", ".status.triggersTypes"),
            ("Authentications", "string", ".status.authenticationsTypes"),
            AGE,
        ),
        description="Starts Jobs as there is work.",
    ),
    short_names=("sj",),
)

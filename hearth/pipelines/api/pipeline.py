"""The models of Pipeline and PipelineRun."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from hearth.kube.crdgen import Crd, Version
from hearth.kube.models import PRESERVE, Int32, Int64, Kept, Model, Opaque, Quantity, Schema
from hearth.pipelines.api import keys

_AGE = ("Age", "date", ".metadata.creationTimestamp")
_ANYTHING = Schema({"x-kubernetes-preserve-unknown-fields": True}, whole=True)
_TIME = Schema({"format": "date-time"})
_ONE_SCRIPT = {
    "x-kubernetes-validations": [
        {
            "rule": "has(self.inline) != has(self.configMap)",
            "message": "a script is either inline or in a configMap",
        }
    ]
}


class ConfigMapKey(Model):
    """A key of a ConfigMap beside the pipeline."""

    go_type: ClassVar[str] = "v1alpha1.ConfigMapKey"

    name: Kept[str] = ""
    """Of the ConfigMap."""
    key: str = "pipeline.py"
    """Which of its texts."""


class Script(Model):
    """What is run: Python that says ``@on(...)``."""

    go_type: ClassVar[str] = "v1alpha1.Script"
    schema_extra = _ONE_SCRIPT

    inline: Annotated[str, Schema({"maxLength": keys.SCRIPT_BYTES})] = ""
    """The text itself."""
    config_map: ConfigMapKey | None = None
    """Where the text is."""


class Workspace(Model):
    """A folder that the jobs of a run share."""

    go_type: ClassVar[str] = "v1alpha1.Workspace"

    size: Quantity = "1Gi"
    """What is asked for."""
    storage_class_name: str = ""
    """The cluster's default where nothing is said."""
    access_mode: Annotated[str, Schema({"enum": ["ReadWriteOnce", "ReadWriteMany"]})] = ""
    """ReadWriteOnce where nothing is said: the pods of a run then have to be on one node."""


class PipelineSpec(Model):
    """What runs, started by which events, within which limits."""

    go_type: ClassVar[str] = "v1alpha1.PipelineSpec"

    broker: str = ""
    """The Broker whose events start it; ``default`` where nothing is said."""
    script: Script = Field(default_factory=Script)
    """What is run."""
    image: str = ""
    """What the script and its functions run in: Python with Hearth; Hearth's own by default."""
    service_account_name: str = ""
    """Of the pods; none of them has its token."""
    secrets: list[str] = Field(default_factory=list)
    """The Secrets that jobs may use; no other."""
    env: dict[str, str] = Field(default_factory=dict)
    """Variables of the script and of all jobs."""
    workspace: Workspace = Field(default_factory=Workspace)
    """The folder that jobs share which ask for it."""
    concurrency: Annotated[Int32 | None, Schema({"minimum": 1, "maximum": 100})] = None
    """How many runs may be under way; 4 where nothing is said. Others wait."""
    timeout_seconds: Annotated[Int32 | None, Schema({"minimum": 1, "maximum": 604800})] = None
    """How long a run may take; 3600 where nothing is said."""
    history_limit: Annotated[Int32 | None, Schema({"minimum": 0, "maximum": 1000})] = None
    """How many finished runs are kept with their logs; 20 where nothing is said."""
    suspended: bool = False
    """Whether events start nothing."""


class Condition(Model):
    """One condition."""

    go_type: ClassVar[str] = "v1.Condition"

    type: Kept[str] = ""
    """Which condition."""
    status: Kept[str] = ""
    """True, False or Unknown."""
    reason: str = ""
    """Why, in one word."""
    message: str = ""
    """Why, in words."""
    last_transition_time: Annotated[str, _TIME] = ""
    """When it changed last."""
    severity: str = ""
    """Info where it does not count."""


class PipelineStatus(Model):
    """What has become of a pipeline."""

    go_type: ClassVar[str] = "v1alpha1.PipelineStatus"

    conditions: list[Condition] = Field(default_factory=list)
    """Ready, ScriptValid, TriggersReady."""
    observed_generation: Int64 = 0
    """The generation that this tells of."""
    events: list[str] = Field(default_factory=list)
    """What the script says it is started by."""
    last_run: str = ""
    """The newest run."""
    last_phase: str = ""
    """How that one is."""
    active: Kept[Int32] = 0
    """How many runs are not over."""


class RunSpec(Model):
    """One run: an event, and what of its pipeline counts for it, as it was then."""

    go_type: ClassVar[str] = "v1alpha1.PipelineRunSpec"

    pipeline: Kept[str] = ""
    """Of which pipeline."""
    event: Annotated[
        dict[str, Any],
        Schema({**PRESERVE, "description": "The CloudEvent in its JSON form."}, whole=True),
    ] = Field(default_factory=dict)
    """The event in its JSON form."""
    script: Kept[str] = ""
    """The script as it was."""
    settings: PipelineSpec = Field(default_factory=PipelineSpec)
    """The pipeline's spec as it was, without the script."""
    remembered: Opaque = Field(default_factory=dict)
    """Jobs whose ends count from an earlier run (``hearth run retry``)."""
    retry_of: str = ""
    """The run that this one tries again."""
    clone_of: str = ""
    """The run whose event this one has."""
    canceled: bool = False
    """Whether it is to end."""


class RunStatus(Model):
    """How a run is."""

    go_type: ClassVar[str] = "v1alpha1.PipelineRunStatus"

    phase: Annotated[str, Schema({"enum": ["", *keys.PHASES]})] = ""
    """Pending, Starting, Running, Succeeded, Failed, TimedOut, Canceled, Aborted."""
    reason: str = ""
    """Why it ended so, in one word."""
    message: str = ""
    """Why it ended so, in words; of a script that raised, the end of its traceback."""
    summary: Annotated[Any, _ANYTHING] = None
    """What the script has to say at its end."""
    outcome: Opaque = Field(default_factory=dict)
    """What the script has told of its end."""
    attempt: Int32 | None = None
    """How often the script was begun."""
    pod: str = ""
    """The pod of the script."""
    started_at: Annotated[str, _TIME] = ""
    """When the script was begun first."""
    finished_at: Annotated[str, _TIME] = ""
    """When it was over."""
    jobs: dict[str, Annotated[dict[str, Any], Schema(PRESERVE, whole=True)]] = Field(
        default_factory=dict
    )
    """By name: what the script asked for, phase, attempt, pod, times, exit code, result."""
    answered: bool = False
    """Whether the event that tells of the end was taken by the Broker."""
    conditions: list[Condition] = Field(default_factory=list)
    """Succeeded."""


def _ready(field: str) -> str:
    return f".status.conditions[?(@.type=='Ready')].{field}"


PIPELINE_CRD = Crd(
    keys.GROUP,
    keys.PIPELINES.kind,
    keys.PIPELINES.plural,
    [
        Version(
            keys.VERSION,
            PipelineSpec,
            PipelineStatus,
            columns=(
                ("Events", "string", ".status.events"),
                ("Active", "integer", ".status.active"),
                ("Last", "string", ".status.lastPhase"),
                ("Ready", "string", _ready("status")),
                ("Reason", "string", _ready("reason")),
                _AGE,
            ),
            wide_columns=(("Message", "string", _ready("message")),),
            required=("spec",),
            description="A script in Python that events start.",
        )
    ],
    categories=("all", "hearth"),
    labels={"app.kubernetes.io/part-of": "hearth"},
)
RUN_CRD = Crd(
    keys.GROUP,
    keys.RUNS.kind,
    keys.RUNS.plural,
    [
        Version(
            keys.VERSION,
            RunSpec,
            RunStatus,
            columns=(
                ("Pipeline", "string", ".spec.pipeline"),
                ("Event", "string", ".spec.event.type"),
                ("Phase", "string", ".status.phase"),
                ("Reason", "string", ".status.reason"),
                ("Started", "date", ".status.startedAt"),
                ("Finished", "date", ".status.finishedAt"),
                _AGE,
            ),
            required=("spec",),
            description="One run of a pipeline, for one event.",
        )
    ],
    short_names=("prun",),
    categories=("all", "hearth"),
    labels={"app.kubernetes.io/part-of": "hearth"},
)

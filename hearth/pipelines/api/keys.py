"""Names of pipelines: resources, labels, phases, limits. No pydantic here."""

from __future__ import annotations

from hearth.kube.resources import Resource

GROUP, VERSION = "pipelines.hearth.dev", "v1alpha1"
PIPELINES = Resource(GROUP, VERSION, "pipelines", "Pipeline")
RUNS = Resource(GROUP, VERSION, "pipelineruns", "PipelineRun")

PIPELINE_LABEL = f"{GROUP}/pipeline"
RUN_LABEL = f"{GROUP}/run"
JOB_LABEL = f"{GROUP}/job"
"""On the pod of a job; its worker's pod has none."""
ATTEMPT_LABEL = f"{GROUP}/attempt"
UNNOTED_FINALIZER = f"{GROUP}/unnoted"
"""On the pod of a job until its attempt is noted: whoever deletes it, it is there to be found."""
BUILT_ANNOTATION = f"{GROUP}/built-image"
"""On a Pipeline: the image that was made of its folder."""

PENDING, STARTING, RUNNING = "Pending", "Starting", "Running"
SUCCEEDED, FAILED, TIMED_OUT = "Succeeded", "Failed", "TimedOut"
CANCELED, ABORTED = "Canceled", "Aborted"
"""Brigade's words: what was cancelled before it began is Canceled, afterwards Aborted."""
FINAL = frozenset({SUCCEEDED, FAILED, TIMED_OUT, CANCELED, ABORTED})
PHASES = (PENDING, STARTING, RUNNING, SUCCEEDED, FAILED, TIMED_OUT, CANCELED, ABORTED)

SCRIPT_BYTES = 128 * 1024
PAYLOAD_BYTES = 256 * 1024
SUMMARY_BYTES = 16 * 1024
JOB_BYTES = 16 * 1024
MOST_JOBS = 100
WORKER_ATTEMPTS = 5
"""How often a script is begun again after its pod died under it."""
NAME_LENGTH = 40
"""Of pipelines and jobs: names of pods are made of both."""

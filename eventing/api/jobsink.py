"""JobSink: each event starts a Job."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from eventing.api import keys
from eventing.api.checks import validate_destination
from eventing.api.definitions import ADDRESSABLE, AGE, EVENTING, READY, URL, Look, define
from eventing.api.podtemplate import Job
from eventing.api.settings import Settings
from eventing.api.shapes import AddressStatus
from hearth.knative.admission.kinds import Change, Trial
from hearth.knative.duck import Destination
from hearth.knative.fielderrors import Errors, invalid, missing_one_of, via
from hearth.knative.resources import JOBSINKS
from hearth.kube.models import Model, decode
from hearth.kube.resources import JOBS

_MODE = {"name": "K_EXECUTION_MODE", "value": "batch"}


class JobSinkSpec(Model):
    """The Job to start."""

    go_type: ClassVar[str] = "v1alpha1.JobSinkSpec"

    job: Job | None = None
    """The Job: it finds the event in a file that K_EVENT_PATH names."""


class JobStatus(Model):
    """How to find the Jobs."""

    selector: str = ""
    """Labels of the Jobs."""


class JobSinkStatus(AddressStatus):
    """What has become of a JobSink."""

    job: JobStatus | None = None
    """How to find the Jobs."""


def _default(change: Change[JobSinkSpec, Settings]) -> None:
    """Containers are told that they run as a batch."""
    job = change.new.spec.job
    if job is None:
        return
    template = job["spec"]["template"]
    pod = dict(template["spec"])
    for field in ("containers", "initContainers"):
        if pod.get(field):
            pod[field] = [_told(each) for each in pod[field]]
    template = {**template, "spec": pod}
    changed = {**job, "spec": {**job["spec"], "template": template}}
    change.new.spec = change.new.spec.model_copy(update={"job": changed})


def _told(container: dict[str, Any]) -> dict[str, Any]:
    env = container.get("env") or []
    if any(each.get("name") == _MODE["name"] for each in env):
        return container
    return {**container, "env": [*env, dict(_MODE)]}


def _validate(change: Change[JobSinkSpec, Settings]) -> Errors:
    errors = [] if change.new.spec.job else via([missing_one_of("job")], "spec")
    return errors + _check_dead_letter_sink(change)


def _check_dead_letter_sink(change: Change[JobSinkSpec, Settings]) -> Errors:
    """What Knative's JobSink has no field for: a destination, as JSON."""
    given = change.new.annotations.get(keys.DEAD_LETTER_SINK_ANNOTATION)
    if given is None:
        return []
    path = ("metadata", "annotations")
    try:
        destination = decode(Destination, json.loads(given), root="Destination")
    except ValueError as error:
        return via([invalid(given, keys.DEAD_LETTER_SINK_ANNOTATION, str(error))], *path)
    features, home = change.settings.features, change.new.namespace
    problems = validate_destination(destination, features, parent=home)
    return via(problems, *path, keys.DEAD_LETTER_SINK_ANNOTATION)


def _trial(change: Change[JobSinkSpec, Settings]) -> Trial | None:
    new, job = change.new, change.new.spec.job
    if job is None:
        return None
    metadata = {**job["metadata"], "generateName": new.name, "namespace": new.namespace}
    obj = {"apiVersion": "batch/v1", "kind": "Job", **job, "metadata": metadata}
    return Trial(JOBS, obj, "spec.job", refusal="validation failed: ")


DEFINITION = define(
    JOBSINKS,
    JobSinkSpec,
    JobSinkStatus,
    Look(
        "Starts a Job for each event.",
        columns=(URL, AGE, *READY),
        labels=ADDRESSABLE,
        categories=(*EVENTING, "sink"),
    ),
    default=_default,
    validate=_validate,
    trial=_trial,
)

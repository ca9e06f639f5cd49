"""The Job that an event starts, and how it is found again. Pure.

Names, labels and paths are those of Knative's JobSink: an event that comes twice starts one Job.
"""

from __future__ import annotations

import base64
import copy
import hashlib
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from eventing.api.views import spec_of
from hearth.knative.names import child_name
from hearth.knative.resources import JOBSINKS
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object, name, namespace, uid

NAME_LABEL = "sinks.knative.dev/job-sink-name"
ID_LABEL = "sinks.knative.dev/job-sink-id"
VOLUME = "jobsink-event"
_FOLDER = "/etc/jobsink-event"


class Started(NamedTuple):
    """What was asked for: which event, of which JobSink."""

    namespace: str
    sink: str
    source: str
    id: str

    @property
    def job(self) -> str:
        """The name of the Job."""
        digest = hashlib.md5((self.source + self.id).encode(), usedforsecurity=False).hexdigest()
        return child_name(f"{self.sink}-", digest)

    @property
    def location(self) -> str:
        """Where it is told how the Job is."""
        parts = (quote(part, safe="$&+:=@") for part in self)
        return "/namespaces/{}/name/{}/sources/{}/ids/{}".format(*parts)

    @classmethod
    def at(cls, target: bytes) -> Started | None:
        """Read such a path; None where it is none."""
        parts = target.decode("latin-1").partition("?")[0].removesuffix("/").split("/")
        if len(parts) != 9 or parts[1::2] != ["namespaces", "name", "sources", "ids"]:
            return None
        return cls(*(unquote(part) for part in parts[2::2]))


def make_job(sink: Object, started: Started) -> Object:
    """Return the Job, which finds the event in a file."""
    given: dict[str, Any] = copy.deepcopy(spec_of(sink).get("job") or {})
    metadata = given.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), **_labels(started)}
    owners = [*(metadata.get("ownerReferences") or ()), _owner(sink, JOBSINKS.api_version)]
    spec = given.get("spec") or {}
    template = spec.get("template") or {}
    pod = template.get("spec") or {}
    pod["containers"] = [_told(each) for each in pod.get("containers") or ()]
    volumes = pod.get("volumes") or []
    if not any(each.get("name") == VOLUME for each in volumes):
        pod["volumes"] = [*volumes, {"name": VOLUME, "secret": {"secretName": started.job}}]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            **{field: metadata[field] for field in ("annotations",) if metadata.get(field)},
            "name": started.job,
            "namespace": started.namespace,
            "labels": labels,
            "ownerReferences": owners,
        },
        "spec": {**spec, "template": {**template, "spec": pod}},
    }


def _told(container: dict[str, Any]) -> dict[str, Any]:
    """Say where the event is: where the container mounts it, or at the usual place."""
    mounts = container.get("volumeMounts") or []
    own = next((each["mountPath"] for each in mounts if each.get("name") == VOLUME), None)
    if own is None:
        mounts = [*mounts, {"name": VOLUME, "readOnly": True, "mountPath": _FOLDER}]
    env = [*(container.get("env") or ()), {"name": "K_EVENT_PATH", "value": own or _FOLDER}]
    return {**container, "volumeMounts": mounts, "env": env}


def make_secret(job: Object, started: Started, event: bytes) -> Object:
    """Return what holds the event; it goes with its Job."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": started.job,
            "namespace": started.namespace,
            "labels": _labels(started),
            "ownerReferences": [_owner({**job, "kind": "Job"}, "batch/v1")],
        },
        "immutable": True,
        "type": "Opaque",
        "data": {"event": base64.b64encode(event).decode()},
    }


def _labels(started: Started) -> dict[str, str]:
    return {ID_LABEL: started.job, NAME_LABEL: started.sink}


def _owner(owner: Object, api_version: str) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": owner.get("kind") or JOBSINKS.kind,
        "name": name(owner),
        "uid": uid(owner),
        "controller": True,
        "blockOwnerDeletion": False,
    }


def outcome(job: Object) -> str:
    """Return how a Job ended, Complete or Failed; nothing as long as it runs."""
    conditions = Conditions.of(job)
    return next((kind for kind in ("Failed", "Complete") if conditions.is_true(kind)), "")


def failure(job: Object) -> str:
    """Return why a Job has failed."""
    found = Conditions.of(job).get("Failed") or {}
    where = f"Job {namespace(job)}/{name(job)} has failed"
    return f"{where}: {found.get('reason', '')} {found.get('message', '')}".strip()

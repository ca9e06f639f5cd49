"""Rows of Services, Revisions, pods and other objects: what of them the page shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearth.knative.views import READY, KnativeView
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.meta import Object
from hearth.kube.troubles import describe_container, is_troubled
from hearth.kube.views import Pod
from hearth.ui.tables import Row

SERVICE_LABEL = "serving.knative.dev/service"
_REVISION_LABEL = "serving.knative.dev/revision"
_NUMBER_LABEL = "serving.knative.dev/configurationGeneration"
_BOUNDS = (("min", "min-scale", "minScale"), ("max", "max-scale", "maxScale"))
_MOST_WORDS = 500
_CAUSES = ("ConfigurationsReady", "RoutesReady")
"""Conditions that know better than Ready why a Service is not."""


def key_of(obj: Object) -> str:
    """Return the key of an object's row."""
    return f"{meta.namespace(obj)}/{meta.name(obj)}"


def seconds(text: object) -> float | None:
    """Return a time of an object in seconds since 1970; None where it says none."""
    try:
        return parse_rfc3339(str(text)) if text else None
    except ValueError:
        return None


def words_of(obj: Object) -> str:
    """Return why an object is not ready, as its condition says it; "" where it is."""
    view = KnativeView(obj)
    if view.ready_status == "True":
        return ""
    conditions = view.conditions
    failed = (kind for kind in _CAUSES if conditions.is_false(kind) and conditions.message(kind))
    kind = next(failed, READY)
    is_old = conditions.is_true(READY)
    said = "" if is_old else conditions.message(kind) or conditions.reason(kind)
    return (said or "Not looked at yet.")[:_MOST_WORDS]


def _head(obj: Object) -> dict[str, Any]:
    return {
        "namespace": meta.namespace(obj),
        "name": meta.name(obj),
        "ready": KnativeView(obj).ready_status,
        "words": words_of(obj),
        "created": seconds(meta.creation_timestamp(obj)),
    }


def service_row(service: Object) -> Row:
    """Return the row of a Knative Service; ``wanted`` is its traffic as it is written."""
    view = KnativeView(service)
    latest = str(view.status.get("latestReadyRevisionName") or "")
    return _head(service) | {
        "url": str(view.status.get("url") or ""),
        "generation": meta.generation(service),
        "latest": latest,
        "traffic": [_share(each, latest) for each in view.status.get("traffic") or ()],
        "wanted": view.spec.get("traffic") or [{"latestRevision": True, "percent": 100}],
    }


def _share(entry: Mapping[str, Any], latest: str) -> dict[str, Any]:
    return {
        "revision": str(entry.get("revisionName") or latest),
        "percent": int(entry.get("percent") or 0),
        "tag": str(entry.get("tag") or ""),
        "url": str(entry.get("url") or ""),
        "latest": bool(entry.get("latestRevision")),
    }


def revision_row(revision: Object) -> Row:
    """Return the row of a Revision."""
    view, labels = KnativeView(revision), meta.labels(revision)
    containers = view.spec.get("containers") or [{}]
    return _head(revision) | {
        "service": labels.get(SERVICE_LABEL, ""),
        "number": _whole(labels.get(_NUMBER_LABEL)) or 0,
        "image": str(containers[0].get("image") or ""),
        "desired": view.status.get("desiredReplicas"),
        "actual": int(view.status.get("actualReplicas") or 0),
        "limit": int(view.spec.get("containerConcurrency") or 0),
        **{field: _bound(revision, spellings) for field, *spellings in _BOUNDS},
    }


def _bound(revision: Object, spellings: list[str]) -> int | None:
    found = meta.annotations(revision)
    texts = (found.get(f"autoscaling.knative.dev/{each}") for each in spellings)
    return next((number for text in texts if (number := _whole(text)) is not None), None)


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def pod_row(pod: Object) -> Row:
    """Return the row of a pod."""
    view, labels = Pod(pod), meta.labels(pod)
    state, words = _state(view)
    ready_at = view.conditions.transition_time("Ready") if view.is_ready else ""
    return {
        "namespace": meta.namespace(pod),
        "name": meta.name(pod),
        "service": labels.get(SERVICE_LABEL, ""),
        "revision": labels.get(_REVISION_LABEL, ""),
        "state": state,
        "words": words[:_MOST_WORDS],
        "created": seconds(meta.creation_timestamp(pod)),
        "readyAt": seconds(ready_at),
        "restarts": sum(each.restart_count for each in view.container_statuses),
        "containers": [str(each.get("name") or "") for each in view.containers],
    }


def _state(pod: Pod) -> tuple[str, str]:
    """How a pod is, and why where it is not well."""
    if meta.is_deleting(pod.object):
        return "ending", ""
    if pod.is_finished:
        state = "done" if pod.phase == "Succeeded" else "failed"
        return state, str(pod.status.get("message") or pod.status.get("reason") or "")
    for status in pod.status.get("containerStatuses") or ():
        # Of what runs again nobody need know when it ended before: the row says how often.
        if "waiting" in (status.get("state") or {}) and is_troubled(status, 0.0):
            told = describe_container(pod.object, status)
            return "failed", f"{told['state']}: {told['lastWords']}".removesuffix(": ")
    if pod.is_ready:
        return "ready", ""
    is_new = not any(each.restart_count for each in pod.container_statuses)
    return "starting" if is_new else "unready", pod.conditions.message("Ready")


def object_row(obj: Object) -> Row:
    """Return the row of what has a Ready condition and perhaps a sink."""
    sink = KnativeView(obj).status.get("sinkUri") or ""
    return {"kind": str(obj.get("kind") or ""), **_head(obj), "sink": str(sink)}


def scaled_row(obj: Object) -> Row:
    """Return the row of a ScaledObject or ScaledJob of KEDA."""
    view = KnativeView(obj)
    target = view.spec.get("scaleTargetRef") or {}
    return {
        "kind": str(obj.get("kind") or ""),
        **_head(obj),
        "target": str(target.get("name") or ""),
        "active": view.conditions.is_true("Active"),
        "paused": view.conditions.is_true("Paused"),
        "min": view.spec.get("minReplicaCount"),
        "max": view.spec.get("maxReplicaCount"),
    }


def run_row(run: Object) -> Row:
    """Return the row of a run of a pipeline."""
    status, spec = run.get("status") or {}, run.get("spec") or {}
    pipeline = spec.get("pipelineRef") or spec.get("pipeline") or ""
    return {
        "namespace": meta.namespace(run),
        "name": meta.name(run),
        "pipeline": str(pipeline.get("name", "") if isinstance(pipeline, dict) else pipeline),
        "phase": str(status.get("phase") or "Pending"),
        "words": str(status.get("message") or status.get("summary") or "")[:_MOST_WORDS],
        "started": seconds(status.get("startedAt") or status.get("startTime")),
        "ended": seconds(status.get("finishedAt") or status.get("completionTime")),
    }


def node_row(obj: Object) -> Row:
    """Return the node of the event graph that an object of eventing is."""
    kind = str(obj.get("kind") or "").lower()
    kind = "channel" if kind.endswith("channel") else kind
    name = key_of(obj)
    return {
        "id": f"{kind} {name}",
        "kind": kind,
        "name": name,
        "ready": KnativeView(obj).ready_status,
        "words": words_of(obj),
    }

"""What a Revision is made of: a Deployment and a PodAutoscaler. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from hearth.knative.names import child_name
from hearth.knative.resources import PODAUTOSCALERS
from hearth.kube import meta
from hearth.kube.meta import Object, labels, name, namespace, owner_reference, uid
from hearth.kube.resources import DEPLOYMENTS
from serving.api import keys, views
from serving.api.annotations import MAX_INT32, READ_DURATION, READ_SCALE, stored
from serving.api.live import overlaid
from serving.api.settings import Settings
from serving.kinds.metadata import (
    DEFAULT_CONTAINER,
    revision_annotations,
    revision_labels,
    workload_annotations,
)
from serving.kinds.revision.containers import make_pod_spec


def deployment_name(revision: Object) -> str:
    """Return the name of a revision's Deployment."""
    return child_name(name(revision), "-deployment")


def make_deployment(revision: Object, settings: Settings) -> Object:
    """Make the Deployment; a label holds the hash of what was asked for."""
    of_workload = revision_labels(revision)
    of_pods = workload_annotations(revision)
    serving = views.Revision(revision).serving_container
    if serving.get("name"):
        of_pods[DEFAULT_CONTAINER] = serving["name"]
    deployment: Object = {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {
            "name": deployment_name(revision),
            "namespace": namespace(revision),
            "labels": dict(of_workload),
            "annotations": workload_annotations(revision),
            "ownerReferences": [owner_reference(revision)],
        },
        "spec": {
            "replicas": initial_replicas(revision, settings),
            "selector": {"matchLabels": {keys.REVISION_UID: uid(revision)}},
            "progressDeadlineSeconds": int(min(progress_deadline(revision, settings), MAX_INT32)),
            "revisionHistoryLimit": 0,
            # Never fewer pods than there were, for the least possible impact.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": dict(of_workload), "annotations": of_pods},
                "spec": make_pod_spec(revision, settings),
            },
        },
    }
    deployment["metadata"]["labels"][keys.DEPLOYMENT_HASH] = _hash(deployment)
    return deployment


def _hash(deployment: Object) -> str:
    """Tells whether a stored Deployment is the one we would make today."""
    about = {k: deployment["metadata"][k] for k in ("labels", "annotations")}
    text = orjson.dumps([about, deployment["spec"]], option=orjson.OPT_SORT_KEYS)
    number = int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")
    return _base36(number)


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        if not number:
            return digits


def initial_replicas(revision: Object, settings: Settings) -> int:
    """Return the replicas that the Deployment starts with."""
    default = settings.autoscaler.initial_scale
    return stored(meta.annotations(revision), keys.INITIAL_SCALE, READ_SCALE, default=default)


def progress_deadline(obj: Object, settings: Settings) -> float:
    """Return seconds a revision has to become ready."""
    default = settings.deployment.progress_deadline
    return stored(meta.annotations(obj), keys.PROGRESS_DEADLINE, READ_DURATION, default=default)


def is_as_current(revision: Object) -> bool:
    """Whether it begins with as many pods as the revision that it replaces has."""
    return keys.INITIAL_SCALE.value(meta.annotations(revision)) == keys.CURRENT


def first_replicas(
    revision: Object, settings: Settings, *, service: Object | None, replaced: int | None
) -> int:
    """Return the pods to start with where the revision asks for as many as it ``replaced``.

    That many within its own bounds; the settings' where nothing is replaced, or nothing runs.
    """
    config, own = settings.autoscaler, live_annotations(revision, service)
    low, high = (
        stored(own, each, READ_SCALE, default=default)
        for each, default in (
            (keys.MIN_SCALE, config.min_scale),
            (keys.MAX_SCALE, config.max_scale),
        )
    )
    pods = max(config.initial_scale if replaced is None else replaced, low)
    pods = min(pods, high) if high else pods
    return pods if pods or config.allow_zero_initial_scale else config.initial_scale


def live_annotations(revision: Object, service: Object | None) -> dict[str, str]:
    """Return annotations with what the Service says in their place, unless no route leads here."""
    own = revision_annotations(revision)
    if service is None or reachability_of(revision) == keys.UNREACHABLE:
        return own
    return overlaid(own, meta.annotations(service))


def make_podautoscaler(
    revision: Object,
    settings: Settings,
    *,
    reachability: str,
    service: Object | None = None,
    initial: int | None = None,
) -> Object:
    """Make the PodAutoscaler; ``reachability`` "" leaves that open.

    ``initial`` is with how many pods the revision began, where its template gives no number.
    """
    view, own = views.Revision(revision), live_annotations(revision, service)
    if initial is not None:
        own[keys.INITIAL_SCALE.key] = str(initial)
    scaler_class = own.setdefault(keys.CLASS.key, settings.autoscaler.pod_autoscaler_class)
    metric = keys.METRIC_CPU if scaler_class == keys.HPA_CLASS else keys.METRIC_CONCURRENCY
    own.setdefault(keys.METRIC.key, metric)
    spec: dict[str, Any] = {
        "protocolType": view.protocol,
        "scaleTargetRef": {
            "apiVersion": DEPLOYMENTS.api_version,
            "kind": DEPLOYMENTS.kind,
            "name": deployment_name(revision),
        },
    }
    if view.container_concurrency:
        spec["containerConcurrency"] = view.container_concurrency
    if reachability:
        spec["reachability"] = reachability
    return {
        "apiVersion": PODAUTOSCALERS.api_version,
        "kind": PODAUTOSCALERS.kind,
        "metadata": {
            "name": name(revision),
            "namespace": namespace(revision),
            "labels": revision_labels(revision),
            "annotations": own,
            "ownerReferences": [owner_reference(revision)],
        },
        "spec": spec,
    }


def reachability_of(revision: Object) -> str:
    """Whether any route leads to the revision; "" while that is not known."""
    state = labels(revision).get(keys.ROUTING_STATE)
    return {keys.STATE_ACTIVE: keys.REACHABLE, keys.STATE_RESERVE: keys.UNREACHABLE}.get(
        state or "", ""
    )

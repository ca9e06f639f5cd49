"""From an HTTPScaledObject to its ScaledObject and its status, as the add-on's operator does. Pure.

Its finalizer is taken off and never put on: the owner's reference is what deletes the ScaledObject.
One that another controller owns is left alone; the add-on's operator would take it over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hearth.keda.api.httproutes import with_ready
from hearth.keda.api.keys import (
    HTTP_FINALIZER,
    HTTPSCALEDOBJECTS,
    ORPHAN_SCALEDOBJECT_ANNOTATION,
    SCALEDOBJECTS,
    SKIP_SCALEDOBJECT_ANNOTATION,
)
from hearth.kube import meta
from hearth.kube.clock import rfc3339
from hearth.kube.controllerspec import (
    ControllerSpec,
    Lister,
    Source,
    Watch,
    owner_key,
    without_settings,
)
from hearth.kube.meta import (
    Key,
    Object,
    controller_of,
    generation,
    is_deleting,
    labels,
    metadata,
    name,
    namespace,
    owner_reference,
    uid,
)
from hearth.kube.plan import Action, Create, Delete, Patch, Plan, Update, UpdateStatus

SCALER_ADDRESS = "keda-add-ons-http-external-scaler.keda:9090"
POLLING_SECONDS = 15
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

HTTP_SOURCE, SCALED_SOURCE = Source(HTTPSCALEDOBJECTS), Source(SCALEDOBJECTS)


@dataclass(frozen=True, slots=True)
class Observed:
    """An HTTPScaledObject, and the ScaledObject of its name."""

    http: Object
    scaled: Object | None


def observe(lister: Lister, item: Key) -> Observed | None:
    """Read both."""
    http = lister.get(HTTP_SOURCE, *item)
    return None if http is None else Observed(http, lister.get(SCALED_SOURCE, *item))


def reconcile(observed: Observed, *, now: float) -> Plan:
    """Decide what is to be written."""
    http = observed.http
    if is_deleting(http):
        return _released(http)
    metric = (http.get("spec") or {}).get("scalingMetric") or {}
    if metric.get("concurrency") is not None and metric.get("requestRate") is not None:
        fault = (
            ".spec.scalingMetric.concurrency and .spec.scalingMetric.rate are mutually exclusive"
        )
        return _status(http, fault, now)
    if observed.scaled is not None and not _may_change(http, observed.scaled):
        fault = f"ScaledObject {name(http)} belongs to {_owner(observed.scaled)}"
        return _status(http, fault, now)
    return Plan(_actions(observed), then=_status(http, "", now).actions)


def refused(observed: Observed, error: str, *, now: float) -> Plan:
    """The API server has refused the ScaledObject."""
    return _status(observed.http, error, now)


def _released(http: Object) -> Plan:
    finalizers = metadata(http).get("finalizers") or []
    if HTTP_FINALIZER not in finalizers:
        return Plan()
    kept = [each for each in finalizers if each != HTTP_FINALIZER]
    return Plan(
        (Update(HTTPSCALEDOBJECTS, {**http, "metadata": {**metadata(http), "finalizers": kept}}),)
    )


def _may_change(http: Object, scaled: Object) -> bool:
    owner = controller_of(scaled)
    return owner is None or owner["uid"] == uid(http)


def _owner(scaled: Object) -> str:
    owner = controller_of(scaled) or {}
    return f"{owner.get('kind')} {owner.get('name')}"


def _actions(observed: Observed) -> tuple[Action, ...]:
    http, scaled = observed.http, observed.scaled
    is_owned = scaled is not None and controller_of(scaled) is not None
    if meta.annotations(http).get(ORPHAN_SCALEDOBJECT_ANNOTATION) == "true":
        return (_orphaned(http, scaled),) if scaled is not None and is_owned else ()
    if meta.annotations(http).get(SKIP_SCALEDOBJECT_ANNOTATION) == "true":
        at = (namespace(http), name(http))
        return (Delete(SCALEDOBJECTS, *at),) if is_owned else ()
    wanted = make_scaled_object(http)
    if scaled is None:
        return (Create(SCALEDOBJECTS, wanted),)
    if _covers({"metadata": wanted["metadata"], "spec": wanted["spec"]}, scaled):
        return ()
    return (Patch(SCALEDOBJECTS, name(http), namespace(http), wanted),)


def _orphaned(http: Object, scaled: Object) -> Update:
    references = metadata(scaled).get("ownerReferences") or []
    kept = [each for each in references if each.get("uid") != uid(http)]
    return Update(
        SCALEDOBJECTS, {**scaled, "metadata": {**metadata(scaled), "ownerReferences": kept}}
    )


def make_scaled_object(http: Object) -> Object:
    """Return the ScaledObject of an HTTPScaledObject."""
    spec = http.get("spec") or {}
    replicas, target = spec.get("replicas") or {}, spec["scaleTargetRef"]
    kept = {key: value for key, value in meta.annotations(http).items() if key != _LAST_APPLIED}
    trigger = {
        "type": "external-push",
        "metadata": {"scalerAddress": SCALER_ADDRESS, "httpScaledObject": name(http)},
    }
    wanted = {
        "scaleTargetRef": {
            key: target[key] for key in ("apiVersion", "kind", "name") if target.get(key)
        },
        "pollingInterval": POLLING_SECONDS,
        "cooldownPeriod": spec.get("scaledownPeriod"),
        "initialCooldownPeriod": spec.get("initialCooldownPeriod"),
        "minReplicaCount": replicas.get("min"),
        "maxReplicaCount": replicas.get("max"),
        "advanced": {"restoreToOriginalReplicaCount": True},
        "triggers": [trigger],
    }
    owner = {**http, "apiVersion": HTTPSCALEDOBJECTS.api_version, "kind": HTTPSCALEDOBJECTS.kind}
    return {
        "apiVersion": SCALEDOBJECTS.api_version,
        "kind": SCALEDOBJECTS.kind,
        "metadata": {
            "namespace": namespace(http),
            "name": name(http),
            "labels": dict(labels(http)),
            "annotations": kept,
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {key: value for key, value in wanted.items() if value is not None},
    }


def _covers(wanted: Any, found: Any) -> bool:
    """Whether all that is wanted is there; what else is there is the server's or others'."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            _covers(value, found.get(key, {} if value == {} else None))
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(wanted) == len(found)
            and all(map(_covers, wanted, found))
        )
    return bool(wanted == found)


def _status(http: Object, fault: str, now: float) -> Plan:
    """Say what there is, and ``fault`` where it is not as it should be."""
    given, target = http.get("status") or {}, (http.get("spec") or {}).get("scaleTargetRef") or {}
    workload = "/".join(str(target.get(key) or "") for key in ("apiVersion", "kind", "name"))
    conditions = with_ready(
        given.get("conditions"),
        is_ready=not fault,
        reason="CreateError" if fault else "Reconciled",
        message=f"Failed to create scaled objects: {fault}"
        if fault
        else "ScaledObject created and configured",
        generation=generation(http),
        now=rfc3339(now),
    )
    status = {
        **given,
        "targetWorkload": workload,
        "targetService": f"{target.get('service')}:{target.get('port') or 0}",
        "conditions": conditions,
    }
    if status == given:
        return Plan()
    return Plan((UpdateStatus(HTTPSCALEDOBJECTS, {**http, "status": status}),))


CONTROLLER: ControllerSpec[Observed, object] = ControllerSpec(
    "keda-httpscaledobject",
    HTTP_SOURCE,
    observe,
    without_settings(reconcile),
    watches=(Watch(SCALED_SOURCE, owner_key(HTTPSCALEDOBJECTS)),),
    refused=refused,
)

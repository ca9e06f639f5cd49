"""The answers of KEDA's webhooks, from a request and what is in its namespace. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from hearth.keda.admission.authentication import check_authentication, check_source
from hearth.keda.admission.neighbours import Seen, check_hpas, check_others, check_requests
from hearth.keda.api import checks, keys
from hearth.keda.api.checks import CheckError
from hearth.keda.api.cloudeventsource import CloudEventSource
from hearth.keda.api.scaledjob import ScaledJob
from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.api.shapes import JobTrigger, Kind
from hearth.keda.api.triggerauthentication import TriggerAuthentication
from hearth.keda.scaling.modifiers import compile_modifiers
from hearth.kube.admission import AdmissionRequest, AdmissionResponse
from hearth.kube.meta import Object, is_deleting
from hearth.kube.models import decode

_POLLING = (
    "PollingInterval is configured but is not relevant. PollingInterval is only relevant when "
    "minReplicaCount = 0, idleReplicaCount is set, or useCachedMetrics is enabled"
)
_COOLDOWN = (
    "CooldownPeriod is configured but is not relevant. CooldownPeriod is only relevant when "
    "minReplicaCount = 0 or idleReplicaCount is set"
)


def is_asked(request: AdmissionRequest) -> bool:
    """Whether the write changes what is looked at here, of an object that is there to stay.

    KEDA looks also at writes that leave spec and annotations as they are, unless a finalizer goes;
    what became wrong since would then hold up each change of a label.
    """
    obj, old = request.object, request.old_object
    if obj is None or is_deleting(obj):
        return False
    return old is None or _looked_at(old) != _looked_at(obj)


def _looked_at(obj: Object) -> tuple[Any, Any]:
    return obj.get("spec"), (obj.get("metadata") or {}).get("annotations")


def refused(error: CheckError) -> AdmissionResponse:
    """The refusal, as controller-runtime makes it: the text alone."""
    return AdmissionResponse(allowed=False, message=str(error))


# -- ScaledObject ----------------------------------------------------------------------------------


def scaled_object(request: AdmissionRequest) -> ScaledObject:
    """Return the object that is asked about; its namespace may be the request's alone."""
    assert request.object is not None
    metadata = {"namespace": request.namespace, **(request.object.get("metadata") or {})}
    return decode(ScaledObject, {**request.object, "metadata": metadata}, root="ScaledObject")


def check_alone(obj: ScaledObject, known: Collection[str]) -> None:
    """Find what is wrong with it whatever else there is; ``known`` are the types of triggers."""
    checks.check_name(obj)
    checks.check_bounds(obj)
    checks.check_fallback(obj)
    checks.check_triggers(obj.spec.triggers)
    check_types(obj.spec.triggers, known)
    compile_modifiers(obj)
    fallback = obj.spec.fallback
    if fallback is not None and fallback.behavior == "scalingModifiers" and obj.modifiers is None:
        raise CheckError(
            "scalingModifiers fallback behavior requires scalingModifiers.formula to be defined",
            "scaling-modifiers-fallback",
        )


def check_among(obj: ScaledObject, seen: Seen, *, dry_run: bool) -> tuple[str, ...]:
    """Find what is wrong with it among others; return what it is warned of."""
    check_others(obj, seen.scaled_objects)
    check_hpas(obj, seen.hpas)
    if not dry_run:
        check_requests(obj, seen)
    return warnings(obj)


def warnings(obj: ScaledObject) -> tuple[str, ...]:
    """Name settings that do nothing, since the target never goes to zero."""
    if not obj.spec.min_replica_count or obj.spec.idle_replica_count is not None:
        return ()
    is_polled = any(each.use_cached_metrics for each in obj.spec.triggers)
    given = (
        (_POLLING, obj.spec.polling_interval is not None and not is_polled),
        (_COOLDOWN, obj.spec.cooldown_period is not None),
    )
    return tuple(text for text, is_given in given if is_given)


def check_types(triggers: Sequence[JobTrigger], known: Collection[str]) -> None:
    """Each trigger has a type that there is a scaler for."""
    for each in triggers:
        if each.type not in known:
            raise CheckError(
                f"no scaler found for type: {each.type}; there are: {', '.join(sorted(known))}",
                "incorrect-triggers",
            )


# -- other kinds -----------------------------------------------------------------------------------


def check_job(request: AdmissionRequest, known: Collection[str]) -> Object:
    """Find what is wrong with a ScaledJob; return a Job as it would start it.

    Kubernetes is to say whether that one would be taken.
    """
    assert request.object is not None
    obj = decode(ScaledJob, request.object, root=request.kind)
    checks.check_triggers(obj.spec.triggers)
    check_types(obj.spec.triggers, known)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": f"{request.name or 'job'}-", "namespace": request.namespace},
        "spec": obj.spec.job_target_ref,
    }


Check = Callable[[Any], None]
SIMPLE: dict[str, tuple[type[Kind], Check]] = {
    keys.TRIGGERAUTHENTICATIONS.kind: (TriggerAuthentication, check_authentication),
    keys.CLUSTERTRIGGERAUTHENTICATIONS.kind: (TriggerAuthentication, check_authentication),
    keys.CLOUDEVENTSOURCES.kind: (CloudEventSource, check_source),
    keys.CLUSTERCLOUDEVENTSOURCES.kind: (CloudEventSource, check_source),
}
"""Kinds that nothing else has to be looked at for: model and check."""


def check_simple(request: AdmissionRequest) -> None:
    """Find what is wrong with an object of these kinds."""
    model, check = SIMPLE[request.kind]
    check(decode(model, request.object, root=request.kind))

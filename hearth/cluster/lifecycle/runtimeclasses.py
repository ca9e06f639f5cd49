"""What a new pod gets of its RuntimeClass: overhead, node selector, tolerations.

Rules and words of ``k8s.io/kubernetes/plugin/pkg/admission/runtimeclass``. Called by ``admit``. The
handler says nothing to the node.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hearth.cluster.admission.attempt import Attempt
from hearth.cluster.model import status
from hearth.cluster.model.objects import Key, Object
from hearth.cluster.operations.api import Api
from hearth.cluster.quota.amounts import parse_amounts

_CLASSES = "runtimeclasses.node.k8s.io"
_OTHER = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
_ALONE = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"


def admit_class(api: Api, attempt: Attempt) -> None:
    """Fill in what the class says; 403 where there is none, or the pod says otherwise."""
    spec = _new_spec(attempt)
    if spec is None:
        return
    found = _class_of(api, attempt, spec)
    if "overhead" in found:
        _check(attempt, spec, found, may_lack=True)
        spec["overhead"] = dict(found["overhead"].get("podFixed") or {})
    if "scheduling" in found:
        _schedule(attempt, spec, found["scheduling"])


def check_overhead(api: Api, attempt: Attempt) -> None:
    """Refuse what webhooks have made of it."""
    spec = _new_spec(attempt)
    if spec is None or not ("runtimeClassName" in spec or "overhead" in spec):
        return
    found = _class_of(api, attempt, spec)
    if "overhead" in found:
        _check(attempt, spec, found, may_lack=False)
    elif spec.get("overhead"):
        raise _refused(attempt, _ALONE)


def _new_spec(attempt: Attempt) -> dict[str, Any] | None:
    """The spec of a pod that is made."""
    is_new_pod = attempt.kind.group_resource == "pods" and attempt.operation == "CREATE"
    if not is_new_pod or attempt.subresource or attempt.obj is None:
        return None
    found: dict[str, Any] = attempt.obj.setdefault("spec", {})
    return found


def _class_of(api: Api, attempt: Attempt, spec: dict[str, Any]) -> Object:
    name = spec.get("runtimeClassName")
    if name is None:
        return {}
    entry = api.store.get(Key(_CLASSES, "", name))
    if entry is None:
        raise _refused(attempt, f'pod rejected: RuntimeClass "{name}" not found')
    return entry.parse()


def _check(attempt: Attempt, spec: dict[str, Any], found: Object, *, may_lack: bool) -> None:
    given = spec.get("overhead") or {}
    fixed = found["overhead"].get("podFixed") or {}
    if (given or not may_lack) and _amounts(given) != _amounts(fixed):
        raise _refused(attempt, _OTHER)


def _amounts(texts: Object) -> dict[str, Decimal]:
    return {name: quantity.amount for name, quantity in parse_amounts(texts).items()}


def _schedule(attempt: Attempt, spec: dict[str, Any], scheduling: Object) -> None:
    selector = dict(spec.get("nodeSelector") or {})
    for key, value in (scheduling.get("nodeSelector") or {}).items():
        given = selector.setdefault(key, value)
        if given != value:
            why = (
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {given}"
            )
            raise _refused(attempt, why)
    if selector:
        spec["nodeSelector"] = selector
    tolerations = list(spec.get("tolerations") or ())
    tolerations += [each for each in scheduling.get("tolerations") or () if each not in tolerations]
    if tolerations:
        spec["tolerations"] = tolerations


def _refused(attempt: Attempt, why: str) -> status.ApiStatus:
    metadata = (attempt.obj or {}).get("metadata") or {}
    return status.forbidden("", "pods", metadata.get("name", ""), why=why)

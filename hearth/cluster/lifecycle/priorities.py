"""The priority of a new pod, from its PriorityClass. Called by ``admit``."""

from __future__ import annotations

from hearth.cluster.admission.attempt import Attempt
from hearth.cluster.model import status
from hearth.cluster.model.objects import Key, Object
from hearth.cluster.operations.api import Api

_CLASSES = "priorityclasses.scheduling.k8s.io"
_SYSTEM = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_PREEMPTION = "PreemptLowerPriority"


def admit_priority(api: Api, attempt: Attempt) -> None:
    """Fills in the priority; 403 where the class is unknown or the pod says another number."""
    is_new_pod = attempt.kind.group_resource == "pods" and attempt.operation == "CREATE"
    if not is_new_pod or attempt.subresource or attempt.obj is None:
        return
    spec = attempt.obj.setdefault("spec", {})
    name, priority, preemption = _class_of(api, attempt, spec.get("priorityClassName", ""))
    for field, label, value in (
        ("priority", "integer value of priority", priority),
        ("preemptionPolicy", "string value of PreemptionPolicy", preemption),
    ):
        given = spec.get(field, value)
        if given != value:
            why = (
                f"the {label} ({given}) must not be provided in pod spec; priority admission "
                f"controller computed {value} from the given PriorityClass name"
            )
            raise _refused(attempt, why)
        spec[field] = value
    if name:
        spec["priorityClassName"] = name


def _class_of(api: Api, attempt: Attempt, name: str) -> tuple[str, int, str]:
    """The class that holds for a pod that names this one: its name, priority and preemption."""
    if name in _SYSTEM:
        return name, _SYSTEM[name], _PREEMPTION
    if name:
        entry = api.store.get(Key(_CLASSES, "", name))
        if entry is None:
            raise _refused(attempt, f"no PriorityClass with name {name} was found")
        priority_class: Object = entry.parse()
    else:
        classes = [entry.parse() for entry in api.store.state.entries(_CLASSES)]
        defaults = [cls for cls in classes if cls.get("globalDefault")]
        if not defaults:
            return "", 0, _PREEMPTION
        priority_class = min(defaults, key=lambda cls: int(cls.get("value", 0)))
    return (
        priority_class["metadata"]["name"],
        priority_class.get("value", 0),
        priority_class.get("preemptionPolicy", _PREEMPTION),
    )


def _refused(attempt: Attempt, why: str) -> status.ApiStatus:
    metadata = (attempt.obj or {}).get("metadata") or {}
    return status.forbidden("", "pods", metadata.get("name", ""), why=why)

"""The scale subresource: a Scale object read from and written to the paths a kind names. Pure."""

from __future__ import annotations

from typing import Any

from hearth.cluster.model import fielderrors, status
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objects import Object
from hearth.kube.selectors import selector_text

API_VERSION = "autoscaling/v1"
_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def _find(obj: Object, path: str) -> Any:
    """The value at a path such as ``.spec.replicas``; None where there is none."""
    value: Any = obj
    for part in path.strip(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def make_scale(kind: Kind, obj: Object, *, must_exist: bool = True) -> Object:
    """The Scale of an object; a custom resource without the replicas field has none to show."""
    assert kind.scale is not None
    replicas = _find(obj, kind.scale.spec_replicas)
    if replicas is None and kind.custom and must_exist:
        raise status.internal(
            f'the spec replicas field "{kind.scale.spec_replicas}" does not exist'
        )
    metadata = obj["metadata"]
    seen: Object = {"replicas": _find(obj, kind.scale.status_replicas) or 0}
    selector = _selector(kind, obj)
    if selector:
        seen["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": API_VERSION,
        "metadata": {field: metadata[field] for field in _METADATA if field in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": seen,
    }


def _selector(kind: Kind, obj: Object) -> str:
    assert kind.scale is not None
    if not kind.custom:
        selector = (obj.get("spec") or {}).get("selector")
    elif kind.scale.label_selector is not None:
        selector = _find(obj, kind.scale.label_selector)
    else:
        selector = None
    return selector_text(selector) if isinstance(selector, dict) else selector or ""


def replicas_of(scale: Object, name: str) -> int:
    """The replicas a client asks for; 422 where they cannot be."""
    replicas: int = (scale.get("spec") or {}).get("replicas") or 0
    if replicas < 0:
        problem = "must be greater than or equal to 0"
        errors = [fielderrors.invalid("spec.replicas", replicas, problem)]
        raise status.invalid("autoscaling", "Scale", name, errors=errors)
    return replicas


def set_replicas(kind: Kind, obj: Object, replicas: int) -> Object:
    """Sets the replicas field that a kind names; changes the object and returns it."""
    assert kind.scale is not None
    *parents, last = kind.scale.spec_replicas.strip(".").split(".")
    place = obj
    for part in parents:
        place = place.setdefault(part, {})
    place[last] = replicas
    return obj

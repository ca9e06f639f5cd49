"""Objects that a kind makes of its own: whether they are there and as they should be. Pure."""

from __future__ import annotations

from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.plan import Action, Create, Update
from hearth.kube.resources import Resource

_HEAD = frozenset({"apiVersion", "kind", "metadata", "status"})


def ensured(resource: Resource, desired: Object, existing: Object | None) -> tuple[Action, ...]:
    """Return what makes an object as it should be; what others added to it stays."""
    if existing is None:
        return (Create(resource, desired),)
    changed: dict[str, Any] = dict(existing)
    for field, value in desired.items():
        if field not in _HEAD:
            changed[field] = _merged(existing.get(field), value)
    labels = {**meta.labels(existing), **meta.labels(desired)}
    if labels != meta.labels(existing):
        changed["metadata"] = {**meta.metadata(existing), "labels": labels}
    return () if changed == existing else (Update(resource, changed),)


def _merged(before: Any, value: Any) -> Any:
    if isinstance(before, dict) and isinstance(value, dict):
        return {**before, **value}
    return value

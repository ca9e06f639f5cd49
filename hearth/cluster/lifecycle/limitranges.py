"""LimitRanges of a namespace: defaults of pods, bounds of pods and claims. Called by ``admit``."""

from __future__ import annotations

from hearth.cluster.admission.attempt import Attempt
from hearth.cluster.model import status
from hearth.cluster.model.objects import Object
from hearth.cluster.operations.api import Api
from hearth.cluster.quota.limits import problems, set_defaults

_RANGES = "limitranges"
_BOUND = {"pods": ("CREATE",), "persistentvolumeclaims": ("CREATE", "UPDATE")}


def _ranges(api: Api, attempt: Attempt) -> list[Object]:
    operations = _BOUND.get(attempt.kind.group_resource, ())
    if attempt.operation not in operations or attempt.subresource:
        return []
    if attempt.old is not None and "deletionTimestamp" in attempt.old["metadata"]:
        return []
    return [entry.parse() for entry in api.store.state.entries(_RANGES, attempt.namespace)]


def admit_defaults(api: Api, attempt: Attempt) -> None:
    """Gives a new pod what its namespace has for containers that do not say."""
    if attempt.kind.group_resource == "pods" and attempt.obj is not None:
        for limit_range in _ranges(api, attempt):
            set_defaults(attempt.obj, limit_range)


def check_bounds(api: Api, attempt: Attempt) -> None:
    """403 where a pod or claim asks for less or more than its namespace allows."""
    for limit_range in _ranges(api, attempt):
        assert attempt.obj is not None
        if why := problems(attempt.kind.plural, attempt.obj, limit_range):
            raise status.forbidden("", attempt.kind.plural, attempt.name, why=why)

"""One ResourceQuota and one object: is it concerned, and does it fit. Pure.

Rules and words of ``k8s.io/apiserver/pkg/admission/plugin/resourcequota``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hearth.cluster.model.objects import Object
from hearth.cluster.quota.amounts import Amounts, only, parse_amounts, plus, words
from hearth.cluster.quota.usage import PODS, compute_usage, is_terminating, resource_of

_MUST_BE_SAID = frozenset(
    {"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}
)


class Refused(Exception):
    """Why a quota does not let an object pass."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a ResourceQuota asks for. ``scopes`` all have to hold: name, operator, values."""

    name: str
    hard: Amounts
    scopes: tuple[tuple[str, str, frozenset[str]], ...]

    @property
    def resources(self) -> frozenset[str]:
        """Those whose objects are counted."""
        return frozenset(resource_of(name) for name in self.hard)

    def concerns(self, resource: str, obj: Object) -> bool:
        """Whether an object counts: no scope is about anything but pods."""
        if resource not in self.resources:
            return False
        return not self.scopes or (
            resource == PODS and all(_is_in_scope(scope, obj) for scope in self.scopes)
        )

    def check(self, resource: str, obj: Object) -> None:
        """Raises Refused where a pod does not say what it needs of what is limited."""
        if resource == PODS and (missing := _missing(self.hard, obj.get("spec") or {})):
            raise Refused(f"failed quota: {self.name}: must specify {missing}")

    def check_room(self, used: Amounts, more: Amounts) -> None:
        """Raises Refused where there is no room for more."""
        wanted = only(more, self.hard)
        then = plus(used, wanted)
        short = [n for n in wanted if wanted[n].amount and then[n].amount > self.hard[n].amount]
        if short:
            raise Refused(
                f"exceeded quota: {self.name}, requested: {words(only(wanted, short))}, "
                f"used: {words(only(used, short))}, limited: {words(only(self.hard, short))}"
            )


def read_quota(obj: Object) -> Quota:
    """What a ResourceQuota asks for."""
    spec = obj.get("spec") or {}
    scopes = [(name, "Exists", frozenset[str]()) for name in spec.get("scopes") or ()]
    for each in (spec.get("scopeSelector") or {}).get("matchExpressions") or ():
        scopes.append((each["scopeName"], each["operator"], frozenset(each.get("values") or ())))
    return Quota(obj["metadata"]["name"], parse_amounts(spec.get("hard")), tuple(scopes))


def _is_in_scope(scope: tuple[str, str, frozenset[str]], pod: Object) -> bool:
    name, operator, values = scope
    best_effort = (pod.get("status") or {}).get("qosClass") == "BestEffort"
    match name:
        case "Terminating":
            return is_terminating(pod)
        case "NotTerminating":
            return not is_terminating(pod)
        case "BestEffort":
            return best_effort
        case "NotBestEffort":
            return not best_effort
        case "PriorityClass":
            given = (pod.get("spec") or {}).get("priorityClassName") or ""
            return _selects(operator, values, given)
    return False


def _selects(operator: str, values: frozenset[str], given: str) -> bool:
    match operator:
        case "Exists":
            return bool(given)
        case "DoesNotExist":
            return not given
        case "In":
            return given in values
    return given not in values


def _missing(hard: Amounts, spec: Mapping[str, Any]) -> str:
    """``limits.cpu for: a,b; memory for: b``; nothing where the pod speaks for all."""
    if any((spec.get("resources") or {}).get(which) for which in ("requests", "limits")):
        return ""
    silent: dict[str, set[str]] = {}
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        own = container.get("resources") or {}
        said = compute_usage(*(parse_amounts(own.get(each)) for each in ("requests", "limits")))
        for name in _MUST_BE_SAID & hard.keys() - said.keys():
            silent.setdefault(name, set()).add(container["name"])
    return "; ".join(f"{name} for: {','.join(sorted(silent[name]))}" for name in sorted(silent))

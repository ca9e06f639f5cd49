"""Whether a pod fits the one node there is, in the scheduler's words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.quantity import parse_quantity
from hearth.kube.selectors import LabelSelector, Requirement

Amounts = Mapping[str, Decimal]

_OPERATORS = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "!",
    "Gt": "gt",
    "Lt": "lt",
}
_NO_PREEMPTION = "Preemption is not helpful for scheduling"
_NO_VICTIMS = "No preemption victims found for incoming pod"


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """Why a pod stays pending."""

    reasons: tuple[str, ...]
    is_about_resources: bool

    @property
    def message(self) -> str:
        """The text of the condition and the event, as the scheduler writes it for one node."""
        reasons = ", ".join(self.reasons)
        why = _NO_VICTIMS if self.is_about_resources else _NO_PREEMPTION
        return f"0/1 nodes are available: {reasons}. preemption: 0/1 nodes are available: 1 {why}."


def requests_of(pod: Object) -> dict[str, Decimal]:
    """What a pod counts for: its containers (sidecars too) or largest init, and its overhead."""
    spec = pod["spec"]
    total: dict[str, Decimal] = {"pods": Decimal(1)}
    largest: dict[str, Decimal] = {}
    for container in spec.get("containers") or ():
        _add(total, _requests(container))
    for container in spec.get("initContainers") or ():
        amounts = _requests(container)
        if container.get("restartPolicy") == "Always":
            _add(total, amounts)
        else:
            largest = {k: max(largest.get(k, Decimal(0)), v) for k, v in amounts.items()} | {
                k: v for k, v in largest.items() if k not in amounts
            }
    for name, amount in largest.items():
        total[name] = max(total.get(name, Decimal(0)), amount)
    _add(total, _amounts(spec.get("overhead")))
    return total


def _requests(container: Mapping[str, Any]) -> dict[str, Decimal]:
    return _amounts((container.get("resources") or {}).get("requests"))


def _amounts(texts: Mapping[str, str] | None) -> dict[str, Decimal]:
    return {name: parse_quantity(text).amount for name, text in (texts or {}).items()}


def _add(total: dict[str, Decimal], amounts: Amounts) -> None:
    for name, amount in amounts.items():
        total[name] = total.get(name, Decimal(0)) + amount


def add_up(pods: Iterable[Amounts]) -> dict[str, Decimal]:
    """What several pods count for together."""
    total: dict[str, Decimal] = {}
    for amounts in pods:
        _add(total, amounts)
    return total


def check_fit(pod: Object, node: Object, used: Amounts) -> Unschedulable | None:
    """None when the pod fits; ``used`` is what the pods already there count for."""
    for check in (_unschedulable, _taints, _affinity):
        reason = check(pod, node)
        if reason is not None:
            return Unschedulable((reason,), False)
    short = _shortages(requests_of(pod), node, used)
    return Unschedulable(tuple(short), True) if short else None


def _unschedulable(pod: Object, node: Object) -> str | None:
    if not node["spec"].get("unschedulable"):
        return None
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    return None if _is_tolerated(taint, pod) else "1 node(s) were unschedulable"


def _taints(pod: Object, node: Object) -> str | None:
    for taint in node["spec"].get("taints") or ():
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not _is_tolerated(taint, pod):
            text = f"{{{taint['key']}: {taint.get('value', '')}}}"
            return f"1 node(s) had untolerated taint {text}"
    return None


def _is_tolerated(taint: Mapping[str, Any], pod: Object) -> bool:
    return any(_tolerates(t, taint) for t in pod["spec"].get("tolerations") or ())


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if not toleration.get("key"):
        return toleration.get("operator") == "Exists"
    if toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool((toleration.get("value") or "") == (taint.get("value") or ""))


def _affinity(pod: Object, node: Object) -> str | None:
    spec, labels = pod["spec"], meta.labels(node)
    selected = all(labels.get(k) == v for k, v in (spec.get("nodeSelector") or {}).items())
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or ()
    if selected and (not terms or any(_matches(term, node) for term in terms)):
        return None
    return "1 node(s) didn't match Pod's node affinity/selector"


def _matches(term: Mapping[str, Any], node: Object) -> bool:
    """One term: all its expressions and fields; a term with neither matches nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    names = {"metadata.name": meta.name(node)}
    on_labels = LabelSelector(tuple(_requirement(e) for e in expressions))
    on_fields = LabelSelector(tuple(_requirement(e) for e in fields))
    return on_labels.matches(meta.labels(node)) and on_fields.matches(names)


def _requirement(expression: Mapping[str, Any]) -> Requirement:
    values = frozenset(expression.get("values") or ())
    return Requirement(expression["key"], _OPERATORS[expression["operator"]], values)


def _shortages(requests: Amounts, node: Object, used: Amounts) -> list[str]:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    short: list[str] = []
    for name, amount in sorted(requests.items()):
        limit = parse_quantity(allocatable.get(name, "0")).amount
        if amount and used.get(name, Decimal(0)) + amount > limit:
            short.append("1 Too many pods" if name == "pods" else f"1 Insufficient {name}")
    return short

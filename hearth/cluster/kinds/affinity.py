"""Validation of affinity and topology spread of pod specs. Pure; called by the pod spec's."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.cluster.model import checks
from hearth.cluster.model.checks import each
from hearth.cluster.model.fielderrors import FieldError, duplicate, invalid, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import dns1123_label_problems, qualified_name_problems

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def affinity_errors(affinity: Object | None, path: str) -> Iterator[FieldError]:
    """Checks node and pod affinity of a pod spec."""
    if affinity is None:
        return
    if (nodes := affinity.get("nodeAffinity")) is not None:
        yield from _node_affinity_errors(nodes, f"{path}.nodeAffinity")
    for key in ("podAffinity", "podAntiAffinity"):
        if (pods := affinity.get(key)) is not None:
            yield from _pod_affinity_errors(pods, f"{path}.{key}")


def _node_affinity_errors(affinity: Object, path: str) -> Iterator[FieldError]:
    if (selector := affinity.get(_REQUIRED)) is not None:
        yield from node_selector_errors(selector, f"{path}.{_REQUIRED}")
    for i, term in enumerate(affinity.get(_PREFERRED) or ()):
        term_path = f"{path}.{_PREFERRED}[{i}]"
        yield from _weight_errors(term, term_path)
        yield from _node_term_errors(term.get("preference") or {}, f"{term_path}.preference")


def node_selector_errors(selector: Object, path: str) -> Iterator[FieldError]:
    """Checks a NodeSelector: of required node affinity or of a volume."""
    terms = selector.get("nodeSelectorTerms") or []
    if not terms:
        detail = "must have at least one node selector term"
        yield required(f"{path}.nodeSelectorTerms", detail)
    for i, term in enumerate(terms):
        yield from _node_term_errors(term, f"{path}.nodeSelectorTerms[{i}]")


def _node_term_errors(term: Object, path: str) -> Iterator[FieldError]:
    for i, requirement in enumerate(term.get("matchExpressions") or ()):
        yield from _node_requirement_errors(requirement, f"{path}.matchExpressions[{i}]")


def _node_requirement_errors(requirement: Object, path: str) -> Iterator[FieldError]:
    yield from checks.operator_errors(requirement, path, comparing=True)
    key = requirement.get("key", "")
    yield from each(f"{path}.key", key, qualified_name_problems(key))


def _weight_errors(term: Object, path: str) -> Iterator[FieldError]:
    weight = term.get("weight", 0)
    if not 1 <= weight <= 100:
        yield invalid(f"{path}.weight", weight, "must be in the range 1-100")


def _pod_affinity_errors(affinity: Object, path: str) -> Iterator[FieldError]:
    for i, term in enumerate(affinity.get(_REQUIRED) or ()):
        yield from _pod_term_errors(term, f"{path}.{_REQUIRED}[{i}]")
    for i, weighted in enumerate(affinity.get(_PREFERRED) or ()):
        term_path = f"{path}.{_PREFERRED}[{i}]"
        yield from _weight_errors(weighted, term_path)
        yield from _pod_term_errors(
            weighted.get("podAffinityTerm") or {}, f"{term_path}.podAffinityTerm"
        )


def _pod_term_errors(term: Object, path: str) -> Iterator[FieldError]:
    for key in ("labelSelector", "namespaceSelector"):
        yield from checks.label_selector_errors(term.get(key), f"{path}.{key}")
    for name in term.get("namespaces") or ():
        yield from each(f"{path}.namespace", name, dns1123_label_problems(name))
    topology = term.get("topologyKey", "")
    if not topology:
        yield required(f"{path}.topologyKey", "can not be empty")
    yield from each(f"{path}.topologyKey", topology, qualified_name_problems(topology))


def spread_errors(spec: Object, path: str) -> Iterator[FieldError]:
    """Checks topology spread constraints; no two may be about the same key and action."""
    constraints = spec.get("topologySpreadConstraints") or []
    for i, constraint in enumerate(constraints):
        yield from _constraint_errors(constraint, f"{path}[{i}]")
        key, action = _identity(constraint)
        if any(_identity(later) == (key, action) for later in constraints[i + 1 :]):
            pair_path = f"{path}[{i}].{{topologyKey, whenUnsatisfiable}}"
            yield duplicate(pair_path, f"{{{key}, {action}}}")


def _identity(constraint: Object) -> tuple[str, str]:
    return constraint.get("topologyKey", ""), constraint.get("whenUnsatisfiable", "")


def _constraint_errors(constraint: Object, path: str) -> Iterator[FieldError]:
    skew = constraint.get("maxSkew", 0)
    if skew <= 0:
        yield invalid(f"{path}.maxSkew", skew, "must be greater than zero")
    key, action = _identity(constraint)
    if not key:
        yield required(f"{path}.topologyKey", "can not be empty")
    supported = ("DoNotSchedule", "ScheduleAnyway")
    yield from checks.one_of(action, supported, f"{path}.whenUnsatisfiable")
    yield from checks.label_selector_errors(
        constraint.get("labelSelector"), f"{path}.labelSelector"
    )

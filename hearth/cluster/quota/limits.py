"""LimitRanges: defaults for containers, and what containers, pods and claims may ask for. Pure.

Rules and words of ``k8s.io/kubernetes/plugin/pkg/admission/limitranger``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hearth.cluster.model.objects import Object
from hearth.cluster.quota.amounts import Amounts, parse_amounts, pod_amounts
from hearth.kube.quantity import Quantity

ANNOTATION = "kubernetes.io/limit-ranger"
_NONE: Amounts = {}
Given = Quantity | None
Rule = Callable[[str, Quantity, Given, Given], str]
"""What is wrong by one bound: subject of the message, bound, request, limit."""


def set_defaults(pod: Object, limit_range: Object) -> None:
    """Gives containers the requests and limits they do not have, and says so in an annotation."""
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}
    for item in _items(limit_range, "Container"):
        limits |= item.get("default") or {}
        requests |= item.get("defaultRequest") or {}
    notes: list[str] = []
    for field, label in (("containers", "container"), ("initContainers", "init container")):
        for container in pod["spec"].get(field) or ():
            for which, defaults in (("requests", requests), ("limits", limits)):
                if added := _fill(container, which, defaults):
                    what = f"{', '.join(added)} {which.removesuffix('s')}"
                    notes.append(f"{what} for {label} {container['name']}")
    if notes:
        annotations = pod["metadata"].setdefault("annotations", {})
        annotations[ANNOTATION] = f"LimitRanger plugin set: {'; '.join(notes)}"


def _fill(container: dict[str, Any], which: str, defaults: Mapping[str, str]) -> list[str]:
    resources = container.get("resources") or {}
    given = resources.get(which) or {}
    added = sorted(defaults.keys() - given.keys())
    if added:
        container["resources"] = resources | {which: {**defaults, **given}}
    return added


def problems(resource: str, obj: Object, limit_range: Object) -> str:
    """What is wrong with a pod or claim by one LimitRange; nothing where nothing is."""
    found = list(dict.fromkeys(_problems(resource, obj.get("spec") or {}, limit_range)))
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]" if found else ""


def _problems(resource: str, spec: Mapping[str, Any], limit_range: Object) -> Iterator[str]:
    if resource == "persistentvolumeclaims":
        requests = parse_amounts((spec.get("resources") or {}).get("requests"))
        for item in _items(limit_range, "PersistentVolumeClaim"):
            yield from _broken(item, {"min": _least, "max": _most_requested}, requests, _NONE)
        return
    rules = {"min": _least, "max": _most, "maxLimitRequestRatio": _ratio}
    for item in (limit_range.get("spec") or {}).get("limits") or ():
        if item.get("type") == "Container":
            for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
                own = container.get("resources") or {}
                requests, limits = (parse_amounts(own.get(each)) for each in ("requests", "limits"))
                yield from _broken(item, rules, requests, limits)
        elif item.get("type") == "Pod":
            requests, limits = (pod_amounts(spec, each) for each in ("requests", "limits"))
            yield from _broken(item, rules, requests, limits)


def _items(limit_range: Object, kind: str) -> list[dict[str, Any]]:
    items = (limit_range.get("spec") or {}).get("limits") or ()
    return [item for item in items if item.get("type") == kind]


def _broken(
    item: Mapping[str, Any], rules: Mapping[str, Rule], requests: Amounts, limits: Amounts
) -> Iterator[str]:
    for field, rule in rules.items():
        for name, bound in sorted(parse_amounts(item.get(field)).items()):
            subject = f"{name}{{}} per {item['type']} is {bound}"
            if problem := rule(subject, bound, requests.get(name), limits.get(name)):
                yield problem


def _least(subject: str, bound: Quantity, request: Given, limit: Given) -> str:
    head = f"minimum {subject.format(' usage')}"
    if request is None:
        return f"{head}.  No request is specified"
    if request.amount < bound.amount:
        return f"{head}, but request is {request}"
    return f"{head}, but limit is {limit}" if limit and limit.amount < bound.amount else ""


def _most(subject: str, bound: Quantity, request: Given, limit: Given) -> str:
    head = f"maximum {subject.format(' usage')}"
    if limit is None:
        return f"{head}.  No limit is specified"
    if limit.amount > bound.amount:
        return f"{head}, but limit is {limit}"
    return f"{head}, but request is {request}" if request and request.amount > bound.amount else ""


def _most_requested(subject: str, bound: Quantity, request: Given, limit: Given) -> str:
    head = f"maximum {subject.format(' usage')}"
    if request is None:
        return f"{head}.  No request is specified"
    return f"{head}, but request is {request}" if request.amount > bound.amount else ""


def _ratio(subject: str, bound: Quantity, request: Given, limit: Given) -> str:
    head = subject.format(" max limit to request ratio")
    for label, given in (("request", request), ("limit", limit)):
        if given is None or not given.amount:
            return f"{head}, but no {label} is specified or {label} is 0"
    assert request is not None and limit is not None
    ratio = limit.amount / request.amount
    return f"{head}, but provided ratio is {ratio:.6f}" if ratio > bound.amount else ""

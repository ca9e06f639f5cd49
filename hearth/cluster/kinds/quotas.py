"""Rules of LimitRange and ResourceQuota. Pure; used by the catalog of kinds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from hearth.cluster.kinds.base import Rules, child
from hearth.cluster.kinds.quantities import STANDARD_RESOURCES, amount_errors, container_name_errors
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each
from hearth.cluster.model.fielderrors import FieldError, duplicate, forbidden, invalid, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import qualified_name_problems
from hearth.kube.quantity import Quantity, parse_quantity

# -- LimitRange ----------------------------------------------------------------------------


def _default_limits(obj: Object) -> None:
    for item in child(obj, "spec").get("limits") or ():
        if item.get("type") != "Container":
            continue
        default = {**(item.get("max") or {}), **(item.get("default") or {})}
        request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
        if default:
            item["default"] = default
        if request:
            item["defaultRequest"] = request


_TYPES = ("Container", "Pod", "PersistentVolumeClaim")
_BOUNDS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_DEFAULTS = ("default", "defaultRequest")
_IN_ORDER = (
    ("min", "max", "min", ("min", "max")),
    ("min", "defaultRequest", "defaultRequest", ("min", "default request")),
    ("defaultRequest", "max", "defaultRequest", ("default request", "max")),
    ("defaultRequest", "default", "defaultRequest", ("default request", "default limit")),
    ("min", "default", "default", ("min", "default")),
    ("default", "max", "default", ("default", "max")),
)
"""The smaller bound, the larger, which of them is shown as wrong, and what they are called."""


def _limit_errors(obj: Object) -> Iterator[FieldError]:
    seen: set[str] = set()
    for i, item in enumerate((obj.get("spec") or {}).get("limits") or ()):
        path, kind = f"spec.limits[{i}]", item.get("type", "")
        yield from each(f"{path}.type", kind, problems := qualified_name_problems(kind))
        if not problems and "/" not in kind and kind not in _TYPES:
            yield invalid(f"{path}.type", kind, "must be a standard limit type or fully qualified")
        if kind in seen:
            yield duplicate(f"{path}.type", kind)
        seen.add(kind)
        yield from _item_errors(item, kind, path)


def _item_errors(item: dict[str, Any], kind: str, path: str) -> Iterator[FieldError]:
    bounds: dict[str, dict[str, Quantity]] = {}
    for field in _BOUNDS:
        given = item.get(field) or {}
        if kind == "Pod" and field in _DEFAULTS and given:
            yield forbidden(f"{path}.{field}", "may not be specified when `type` is 'Pod'")
            continue
        for name, text in given.items():
            if kind in ("Pod", "Container"):
                yield from container_name_errors(name, f"{path}.{field}[{name}]")
            bounds.setdefault(name, {})[field] = parse_quantity(text)
    if kind == "PersistentVolumeClaim" and not bounds.get("storage", {}).keys() & {"min", "max"}:
        detail = "either minimum or maximum storage value is required, but neither was provided"
        yield required(f"{path}.limits", detail)
    for name, by_field in sorted(bounds.items()):
        yield from _bound_errors(by_field, path, name)


def _bound_errors(bounds: dict[str, Quantity], path: str, name: str) -> Iterator[FieldError]:
    for low, high, shown, (less, more) in _IN_ORDER:
        if low in bounds and high in bounds and bounds[low].amount > bounds[high].amount:
            detail = f"{less} value {bounds[low]} is greater than {more} value {bounds[high]}"
            yield invalid(f"{path}.{shown}[{name}]", str(bounds[shown]), detail)
    ratio = bounds.get("maxLimitRequestRatio")
    if ratio is None:
        return
    ratio_path = f"{path}.maxLimitRequestRatio[{name}]"
    if ratio.amount < 1:
        yield invalid(ratio_path, str(ratio), f"ratio {ratio} is less than 1")
    least, most = (bounds.get(each, Quantity(Decimal(0))).amount for each in ("min", "max"))
    if least and most and ratio.amount > most / least:
        detail = f"ratio {ratio} is greater than max/min = {most / least:.6f}"
        yield invalid(ratio_path, str(ratio), detail)


LIMIT_RANGE = Rules(default=_default_limits, validate=_limit_errors, metadata_again=True)


# -- ResourceQuota -------------------------------------------------------------------------

_COMPUTE = frozenset(
    {"pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}
)
_SCOPES = {
    "BestEffort": frozenset({"pods"}),
    "NotBestEffort": _COMPUTE,
    "Terminating": _COMPUTE,
    "NotTerminating": _COMPUTE,
    "PriorityClass": _COMPUTE,
    "CrossNamespacePodAffinity": _COMPUTE,
    "VolumeAttributesClass": frozenset({"persistentvolumeclaims", "requests.storage"}),
}
"""The standard resources that each scope can be about."""
_OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_MUST_EXIST = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
    "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
    "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)


def _quota_errors(obj: Object) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    for name, text in (spec.get("hard") or {}).items():
        yield from _hard_errors(name, text, f"spec.hard[{name}]")
    scopes, hard = spec.get("scopes") or [], spec.get("hard") or {}
    yield from _scope_errors(scopes, hard, scopes, "spec.scopes", "spec.scopes")
    selector = spec.get("scopeSelector") or {}
    path = "spec.scopeSelector.matchExpressions"
    expressions = selector.get("matchExpressions") or []
    names = [each["scopeName"] for each in expressions]
    yield from _scope_errors(names, hard, selector, f"{path}.scopeName", path)
    for each_one in expressions:
        yield from _expression_errors(each_one, path)


def _hard_errors(name: str, text: str, path: str) -> Iterator[FieldError]:
    yield from each(path, name, qualified_name_problems(name))
    known = name in STANDARD_RESOURCES - {"storage"} or "hugepages-" in name
    if "/" not in name and not known:
        yield invalid(path, name, "must be a standard resource for quota")
    yield from amount_errors(name, text, path)


def _scope_errors(
    scopes: Sequence[str], hard: Object, shown: Any, name_path: str, path: str
) -> Iterator[FieldError]:
    for scope in scopes:
        if scope not in _SCOPES:
            is_list = name_path == path
            yield invalid(name_path, shown if is_list else scope, "unsupported scope")
        for name in sorted(hard.keys() & STANDARD_RESOURCES):
            if name not in _SCOPES.get(scope, STANDARD_RESOURCES):
                yield invalid(path, shown, "unsupported scope applied to resource")
    for pair in _OPPOSITES:
        if pair <= set(scopes):
            yield invalid(path, scopes, "conflicting scopes")


def _expression_errors(expression: dict[str, Any], path: str) -> Iterator[FieldError]:
    scope, operator = expression["scopeName"], expression.get("operator", "")
    values = expression.get("values") or []
    selects = scope in ("PriorityClass", "VolumeAttributesClass")
    if scope in _SCOPES and not selects and operator != "Exists":
        yield invalid(f"{path}.operator", operator, _MUST_EXIST)
    if operator in ("In", "NotIn"):
        if not values:
            detail = (
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            )
            yield required(f"{path}.values", detail)
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = (
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            )
            yield invalid(f"{path}.values", values, detail)
    else:
        yield invalid(f"{path}.operator", operator, "not a valid selector operator")


def _quota_update(new: Object, old: Object) -> Iterator[FieldError]:
    scopes, before = ((each.get("spec") or {}).get("scopes") or [] for each in (new, old))
    if set(scopes) != set(before):
        yield invalid("spec.scopes", scopes, checks.IMMUTABLE)


RESOURCE_QUOTA = Rules(validate=_quota_errors, update=_quota_update)

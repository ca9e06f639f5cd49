"""Validation of resource requests and limits. Pure; called by the containers' validation."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.cluster.model import checks
from hearth.cluster.model.checks import each
from hearth.cluster.model.fielderrors import FieldError, forbidden, invalid, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import qualified_name_problems
from hearth.kube.quantity import parse_quantity

_CONTAINER_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage"})
STANDARD_RESOURCES = _CONTAINER_RESOURCES | {
    "requests.cpu", "requests.memory", "requests.ephemeral-storage",
    "limits.cpu", "limits.memory", "limits.ephemeral-storage",
    "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
    "persistentvolumeclaims", "storage", "requests.storage", "services.nodeports",
    "services.loadbalancers",
}  # fmt: skip


def resources_errors(resources: Object, path: str) -> Iterator[FieldError]:
    """Checks requests and limits of a container: no request above its limit."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, text in limits.items():
        resource_path = f"{path}.limits[{name}]"
        yield from container_name_errors(name, resource_path)
        yield from amount_errors(name, text, resource_path)
    for name, text in requests.items():
        resource_path = f"{path}.requests[{name}]"
        yield from container_name_errors(name, resource_path)
        yield from amount_errors(name, text, resource_path)
        yield from _limit_errors(name, text, path=path, limits=limits)
    named = {*limits, *requests}
    if any(_is_huge_pages(name) for name in named) and not named & {"cpu", "memory"}:
        yield forbidden(path, "HugePages require cpu or memory")


def _is_huge_pages(name: str) -> bool:
    return name.startswith("hugepages-")


def _may_overcommit(name: str) -> bool:
    return "/" not in name and not _is_huge_pages(name)


def container_name_errors(name: str, path: str) -> Iterator[FieldError]:
    """Checks the name of a resource that a container may ask for."""
    problems = qualified_name_problems(name)
    yield from each(path, name, problems)
    if "/" in name:
        return
    known = name in STANDARD_RESOURCES or _is_huge_pages(name)
    if not problems and not known:
        yield invalid(path, name, "must be a standard resource type or fully qualified")
    if name not in _CONTAINER_RESOURCES and not _is_huge_pages(name):
        yield invalid(path, name, "must be a standard resource for containers")


def amount_errors(name: str, text: str, path: str) -> Iterator[FieldError]:
    """Checks one amount: not negative, whole where the resource has no parts."""
    quantity = parse_quantity(text)
    if quantity.amount < 0:
        yield invalid(path, str(quantity), checks.NEGATIVE)
    whole_only = "/" in name or name in STANDARD_RESOURCES - _CONTAINER_RESOURCES
    if whole_only and not name.startswith(("requests.", "limits.")) and quantity.milli % 1000:
        yield invalid(path, str(quantity), "must be an integer")


def _limit_errors(name: str, text: str, *, path: str, limits: Object) -> Iterator[FieldError]:
    """A request stays within its limit, and equals it where nothing can be overcommitted."""
    limit = limits.get(name)
    if limit is None:
        if not _may_overcommit(name):
            yield required(f"{path}.limits", "Limit must be set for non overcommitable resources")
        return
    request, most_allowed = parse_quantity(text), parse_quantity(limit)
    if request.amount != most_allowed.amount and not _may_overcommit(name):
        detail = f"must be equal to {name} limit of {most_allowed}"
        yield invalid(f"{path}.requests", str(request), detail)
    elif request.amount > most_allowed.amount:
        detail = f"must be less than or equal to {name} limit of {most_allowed}"
        yield invalid(f"{path}.requests", str(request), detail)

"""Marks revisions and configurations with the routes that lead to them. Pure.

Runs per Route, beside the Route's own reconciler. A revision that a route leads to is ``active``,
any other one ``reserve``; garbage collection and reachability go by that. A route that is gone
gives up its marks in the same way, so no finalizer is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hearth.knative.resources import CONFIGURATIONS, REVISIONS
from hearth.kube import meta
from hearth.kube.clock import rfc3339
from hearth.kube.meta import Key, Object, controller_of, generation, is_deleting, labels, name
from hearth.kube.plan import Action, Patch, Plan
from hearth.kube.resources import Resource
from serving.api import keys
from serving.kinds.service.children import route_names
from serving.routing.targets import condition_status


@dataclass(frozen=True, slots=True)
class Observed:
    key: Key
    route: Object | None
    configurations: Mapping[str, Object] = field(default_factory=dict)
    revisions: Mapping[str, Object] = field(default_factory=dict)
    """What the route's traffic names or what carries its name already, by name."""


def reconcile(observed: Observed, *, now: float) -> Plan:
    route = observed.route
    if route is None or is_deleting(route):
        revisions: set[str] = set()
        configurations: set[str] = set()
        settled = True
    else:
        revisions, configurations = _wanted(observed, route)
        settled = _is_settled(route)
    actions: list[Action] = []
    for resource, found, wanted in (
        (REVISIONS, observed.revisions, revisions),
        (CONFIGURATIONS, observed.configurations, configurations),
    ):
        for _, obj in sorted(found.items()):
            if route is None and labels(obj).get(keys.SERVICE) == observed.key[1]:
                continue  # born with its mark: the Service is about to make the Route
            if name(obj) in wanted or settled:
                actions += _mark(resource, obj, observed.key[1], name(obj) in wanted, now=now)
    return Plan(tuple(actions))


def targets(route: Object) -> list[Mapping[str, Any]]:
    """What the route leads to now and what it should lead to."""
    status = (route.get("status") or {}).get("traffic") or ()
    return [*status, *(route["spec"].get("traffic") or ())]


def _wanted(observed: Observed, route: Object) -> tuple[set[str], set[str]]:
    revisions: set[str] = set()
    configurations = _siblings(observed, route)
    for target in targets(route):
        revision = observed.revisions.get(target.get("revisionName") or "")
        owner = target.get("configurationName") or ""
        if target.get("revisionName"):
            if revision is None:
                continue
            revisions.add(name(revision))
            reference = controller_of(revision)
            if reference is not None and reference["kind"] == CONFIGURATIONS.kind:
                owner = reference["name"]
        configuration = observed.configurations.get(owner)
        if configuration is None:
            continue
        configurations.add(owner)
        latest = (configuration.get("status") or {}).get("latestCreatedRevisionName")
        if latest and target.get("latestRevision"):
            # Marked early, so that it keeps its pods until the route leads to it.
            revisions.add(latest)
    return revisions, configurations


def _siblings(observed: Observed, route: Object) -> set[str]:
    """The configuration of the route's own Service, which bears the route's name from the start.

    The Service would put the mark back: two controllers must not fight over it.
    """
    service = labels(route).get(keys.SERVICE)
    found = observed.configurations.values()
    return {name(c) for c in found if service and labels(c).get(keys.SERVICE) == service}


def _is_settled(route: Object) -> bool:
    """Marks are taken away only by a route that knows where it leads."""
    observed = (route.get("status") or {}).get("observedGeneration")
    return observed == generation(route) and condition_status(route, keys.READY) != "Unknown"


def _mark(
    resource: Resource, obj: Object, route: str, wanted: bool, *, now: float
) -> tuple[Action, ...]:
    """The patch that adds or removes the route's name, and moves a revision's routing state."""
    known = route_names(meta.annotations(obj).get(keys.ROUTES, ""))
    routes = known | {route} if wanted else known - {route}
    new_annotations: dict[str, str | None] = {}
    new_labels: dict[str, str] = {}
    if routes != known:
        new_annotations[keys.ROUTES] = ",".join(sorted(routes)) or None
    if resource == REVISIONS and (routes != known or wanted):
        state = keys.STATE_ACTIVE if routes else keys.STATE_RESERVE
        if labels(obj).get(keys.ROUTING_STATE) != state:
            new_labels[keys.ROUTING_STATE] = state
            new_annotations[keys.ROUTING_STATE_MODIFIED] = rfc3339(now)
    patch: dict[str, Any] = {}
    if new_labels:
        patch["labels"] = new_labels
    if new_annotations:
        patch["annotations"] = new_annotations
    if not patch:
        return ()
    return (Patch(resource, name(obj), meta.namespace(obj), {"metadata": patch}),)

"""Marks revisions and configurations with the routes that lead to them. Pure.

Runs per Route, beside the Route's own reconciler. A revision that a route leads to is ``active``,
any other one ``reserve``; garbage collection and reachability go by that. A route that is gone
gives up its marks in the same way, so no finalizer is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hearth.knative.resources import CONFIGURATIONS, REVISIONS
from hearth.kube import meta
from hearth.kube.clock import rfc3339
from hearth.kube.conditions import UNKNOWN
from hearth.kube.controllerspec import (
    ControllerSpec,
    Lister,
    Source,
    Watch,
    is_made_otherwise,
    without_settings,
)
from hearth.kube.meta import (
    Key,
    Object,
    controller_of,
    is_deleting,
    key_text,
    labels,
    name,
)
from hearth.kube.plan import Action, Patch, Plan
from hearth.kube.resources import Resource
from serving.api import keys, views
from serving.kinds import sources
from serving.kinds.metadata import route_names
from serving.kinds.status import names_otherwise


@dataclass(frozen=True, slots=True)
class Observed:
    """What the labeler sees of one Route."""

    key: Key
    route: Object | None
    configurations: Mapping[str, Object] = field(default_factory=dict)
    revisions: Mapping[str, Object] = field(default_factory=dict)
    """What the route's traffic names or what carries its name already, by name."""


def observe(lister: Lister, key: Key) -> Observed:
    """Look up the route, what it leads to, and what is marked with it.

    A route that is gone is observed too: it gives up its marks.
    """
    route, mark = lister.get(sources.ROUTES, *key), key_text(key)
    revisions = _Named(lister, sources.REVISIONS, key[0])
    configurations = _Named(lister, sources.CONFIGURATIONS, key[0])
    revisions.take(lister.by_index(sources.REVISIONS_BY_MARK, mark))
    configurations.take(lister.by_index(sources.CONFIGURATIONS_BY_MARK, mark))
    if route is not None:
        for target in views.targets_of(route):
            revisions.look_up(target.revision)
            configurations.look_up(target.configuration)
        for revision in tuple(revisions.objects.values()):
            owner = controller_of(revision)
            if owner is not None:
                configurations.look_up(owner["name"])
        for configuration in configurations.objects.values():
            revisions.look_up(views.Configuration(configuration).latest_created)
    return Observed(key, route, configurations.objects, revisions.objects)


class _Named:
    """Objects of one kind and namespace, gathered by name."""

    def __init__(self, lister: Lister, source: Source, namespace: str) -> None:
        self.objects: dict[str, Object] = {}
        self._lister = lister
        self._source = source
        self._namespace = namespace

    def take(self, objects: Iterable[Object]) -> None:
        self.objects.update((name(obj), obj) for obj in objects)

    def look_up(self, title: str) -> None:
        obj = self._lister.get(self._source, self._namespace, title)
        if obj is not None:
            self.objects[name(obj)] = obj


def reconcile(observed: Observed, *, now: float) -> Plan:
    """Mark what the route leads to, and take its marks from everything else."""
    route = observed.route
    if route is None or is_deleting(route):
        revisions: set[str] = set()
        configurations: set[str] = set()
        settled = True
    else:
        revisions, configurations = _wanted(observed, route)
        settled = _is_settled(route)
    actions: list[Action] = []
    for resource, objects, targets in (
        (REVISIONS, observed.revisions, revisions),
        (CONFIGURATIONS, observed.configurations, configurations),
    ):
        for _, obj in sorted(objects.items()):
            if route is None and labels(obj).get(keys.SERVICE) == observed.key[1]:
                continue  # born with its mark: the Service is about to make the Route
            if name(obj) in targets or settled:
                actions += _mark(resource, obj, observed.key[1], name(obj) in targets, now=now)
    return Plan(tuple(actions))


def _wanted(observed: Observed, route: Object) -> tuple[set[str], set[str]]:
    revisions: set[str] = set()
    configurations = _siblings(observed, route)
    for target in views.targets_of(route):
        revision = observed.revisions.get(target.revision)
        owner = target.configuration
        if target.revision:
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
        latest = views.Configuration(configuration).latest_created
        if latest and target.latest_revision:
            # Marked early, so that it keeps its pods until the route leads to it.
            made = observed.revisions.get(latest)
            if keys.ROLLED_BACK_TO not in meta.annotations(made or {}):
                revisions.add(latest)
    return revisions, configurations


def _siblings(observed: Observed, route: Object) -> set[str]:
    """Return the configuration of the route's Service, which bears its name from the start.

    The Service would put the mark back: two controllers must not fight over it.
    """
    service = labels(route).get(keys.SERVICE)
    candidates = observed.configurations.values()
    return {name(c) for c in candidates if service and labels(c).get(keys.SERVICE) == service}


def _is_settled(route: Object) -> bool:
    """Marks are taken away only by a route that knows where it leads."""
    view = views.Route(route)
    return view.is_observed and view.conditions.status(keys.READY) != UNKNOWN


def _mark(
    resource: Resource, obj: Object, route: str, is_target: bool, *, now: float
) -> tuple[Action, ...]:
    """Patch the route's name in or out, and move a revision's routing state."""
    known = route_names(meta.annotations(obj).get(keys.ROUTES, ""))
    routes = known | {route} if is_target else known - {route}
    new_annotations: dict[str, str | None] = {}
    new_labels: dict[str, str] = {}
    if routes != known:
        new_annotations[keys.ROUTES] = ",".join(sorted(routes)) or None
    if resource == REVISIONS and (routes != known or is_target):
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


CONTROLLER: ControllerSpec[Observed, object] = ControllerSpec(
    "serving-labeler",
    sources.ROUTES,
    observe,
    without_settings(reconcile),
    watches=(
        Watch(sources.CONFIGURATIONS, sources.routes_of_configuration, when=names_otherwise),
        Watch(sources.REVISIONS, sources.routes_of_revision, when=is_made_otherwise),
    ),
    indexes=(
        sources.ROUTES_BY_CONFIGURATION,
        sources.ROUTES_BY_REVISION,
        sources.REVISIONS_BY_MARK,
        sources.CONFIGURATIONS_BY_MARK,
    ),
)

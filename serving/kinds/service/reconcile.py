"""Service: makes its Configuration and Route, and says in its status how they are. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hearth.knative.conditions import ConditionSet
from hearth.knative.resources import CONFIGURATIONS, KSERVICES, ROUTES
from hearth.knative.views import KnativeView
from hearth.kube.meta import Object, copied, generation, is_controlled_by, is_deleting, name
from hearth.kube.plan import Action, Create, Event, Plan, Update
from hearth.kube.resources import Resource
from serving.api import keys, views
from serving.kinds.drift import exact_drift
from serving.kinds.service.children import make_configuration, make_route
from serving.kinds.status import Draft

CONDITIONS = ConditionSet(keys.READY, (keys.CONFIGURATIONS_READY, keys.ROUTES_READY))

_CONFIGURATION_OLD = (
    "OutOfDate",
    "The Configuration is still working to reflect the latest desired specification.",
)
_ROUTE_OLD = (
    "OutOfDate",
    "The Route is still working to reflect the latest desired specification.",
)
_NOT_MIGRATED = ("TrafficNotMigrated", "Traffic is not yet migrated to the latest revision.")


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one Service."""

    service: Object
    configuration: Object | None = None
    route: Object | None = None
    named_revision: Object | None = None
    """The revision that bears the name the template asks for."""


def reconcile(observed: Observed, *, now: float) -> Plan:
    """Keep the Configuration and the Route, and tell how they are."""
    service = observed.service
    if is_deleting(service):
        return Plan()
    draft = Draft(service, CONDITIONS, now=now)
    configures: list[Action] = []
    routes: list[Action] = []
    if _configure(observed, service, draft=draft, actions=configures):
        _route(observed, service, draft=draft, actions=routes)
    # In this order: pods wait for the Configuration, and a Route misses one that is not there.
    return Plan((*configures, *draft.writes(KSERVICES)), then=tuple(routes))


def _configure(observed: Observed, service: Object, *, draft: Draft, actions: list[Action]) -> bool:
    """Brings the Configuration about; whether to go on with the Route."""
    existing = observed.configuration
    if existing is not None and not is_controlled_by(existing, service):
        message = f'There is an existing Configuration "{name(service)}" that we do not own.'
        draft.conditions.mark_false(keys.CONFIGURATIONS_READY, "NotOwned", message)
        return False
    desired = make_configuration(service, existing)
    changed = _bring_about(CONFIGURATIONS, desired, existing, service=service)
    actions += changed
    if existing is None or changed or not KnativeView(existing).is_observed:
        draft.conditions.mark_unknown(keys.CONFIGURATIONS_READY, *_CONFIGURATION_OLD)
        # A chosen name may be taken: the Route must wait until the Configuration knows.
        return not views.Configuration(desired).template_name
    _take_over(draft, existing, ("latestCreatedRevisionName", "latestReadyRevisionName"))
    draft.conditions.propagate(keys.CONFIGURATIONS_READY, KnativeView(existing).ready)
    if _is_name_taken(existing, observed.named_revision):
        chosen = views.Configuration(existing).template_name
        message = (
            f'The revision name "{chosen}" is taken by a conflicting Revision, '
            "so traffic will not be migrated"
        )
        draft.conditions.mark_false(keys.ROUTES_READY, "RevisionNameTaken", message)
        return False
    return True


def _route(observed: Observed, service: Object, *, draft: Draft, actions: list[Action]) -> None:
    existing = observed.route
    if existing is not None and not is_controlled_by(existing, service):
        message = f'There is an existing Route "{name(service)}" that we do not own.'
        draft.conditions.mark_false(keys.ROUTES_READY, "NotOwned", message)
        return
    changed = _bring_about(ROUTES, make_route(service), existing, service=service)
    actions += changed
    if existing is None or changed or not KnativeView(existing).is_observed:
        draft.conditions.mark_unknown(keys.ROUTES_READY, *_ROUTE_OLD)
        return
    _take_over(draft, existing, ("url", "address", "traffic"))
    draft.conditions.propagate(keys.ROUTES_READY, KnativeView(existing).ready)
    if draft.conditions.is_true(keys.ROUTES_READY) and not _is_migrated(
        existing, observed.configuration
    ):
        draft.conditions.mark_unknown(keys.ROUTES_READY, *_NOT_MIGRATED)


def _bring_about(
    resource: Resource, desired: Object, existing: Object | None, *, service: Object
) -> tuple[Action, ...]:
    if existing is None:
        message = f'Created {resource.kind} "{name(desired)}"'
        return Create(resource, desired), Event(service, "Normal", "Created", message)
    updated = exact_drift(desired, existing)
    return () if updated is None else (Update(resource, updated),)


def _take_over(draft: Draft, child: Object, fields: tuple[str, ...]) -> None:
    status = KnativeView(child).status
    for field in fields:
        draft.put(field, copied(status.get(field)))


def _is_name_taken(configuration: Object, revision: Object | None) -> bool:
    """Whether the chosen name belongs to a revision that is not what the template asks for."""
    view = views.Configuration(configuration)
    if not view.template_name or revision is None:
        return False
    if not is_controlled_by(revision, configuration):
        return True
    if views.Revision(revision).configuration_generation == str(generation(configuration)):
        return False
    return bool(view.template_spec != revision.get("spec"))


def _is_migrated(route: Object, configuration: Object | None) -> bool:
    """Whether the Route's status says what its spec asks, with the latest ready revision."""
    latest = views.Configuration(configuration).latest_ready
    own = name(configuration) if configuration else ""

    def asked(target: views.TrafficTarget) -> tuple[str, int, str]:
        revision = latest if target.configuration == own else target.revision
        return revision, target.percent, target.tag

    def served(target: views.TrafficTarget) -> tuple[str, int, str]:
        return target.revision, target.percent, target.tag

    view = views.Route(route)
    return list(map(asked, view.traffic)) == list(map(served, view.served_traffic))

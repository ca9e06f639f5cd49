"""What the Route's controller watches and observes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hearth.knative.resources import ROUTES
from hearth.kube.controllerspec import ControllerSpec, Lister, Watch, owner_key
from hearth.kube.meta import Key, Object, key_text, labels, name, namespace
from serving.api import keys
from serving.api.settings import Settings
from serving.kinds import sources
from serving.kinds.route.reconcile import Observed, placeholder_names, reconcile


def observe(lister: Lister, key: Key, settings: Settings) -> Observed | None:
    """Look up the Route, what its traffic names, its KIngress and its placeholder Services."""
    route = lister.get(sources.ROUTES, *key)
    if route is None:
        return None
    configurations, revisions = _targets(lister, key[0], route["spec"].get("traffic") or ())
    services = lister.by_index(sources.K8S_SERVICES_BY_ROUTE, key_text(key))
    by_name = {name(service): service for service in services}
    for hostname in placeholder_names(route, settings):
        reserved = lister.get(sources.K8S_SERVICES, key[0], hostname)
        if reserved is not None:
            by_name[hostname] = reserved
    ingress = lister.get(sources.INGRESSES, *key)
    return Observed(route, configurations, revisions, ingress, by_name)


def _targets(
    lister: Lister, namespace: str, traffic: Iterable[Mapping[str, Any]]
) -> tuple[dict[str, Object], dict[str, Object]]:
    """Find configurations and revisions that targets name, and the latest ones behind them."""
    configurations: dict[str, Object] = {}
    revisions: dict[str, Object] = {}
    for target in traffic:
        asked = [target.get("revisionName") or ""]
        owner = lister.get(sources.CONFIGURATIONS, namespace, target.get("configurationName") or "")
        if owner is not None:
            configurations[name(owner)] = owner
            asked.append((owner.get("status") or {}).get("latestReadyRevisionName") or "")
        for revision_name in asked:
            revision = lister.get(sources.REVISIONS, namespace, revision_name)
            if revision is not None:
                revisions[revision_name] = revision
    return configurations, revisions


def _routes_of_service(lister: Lister, service: Object) -> Iterator[Key]:
    """Map a Service to the route it is a placeholder of, or one that would like its name."""
    label = labels(service).get(keys.ROUTE)
    if label:
        yield namespace(service), label
    elif lister.get(sources.ROUTES, namespace(service), name(service)) is not None:
        yield namespace(service), name(service)


def controller(settings: Callable[[], Settings]) -> ControllerSpec[Observed, Settings]:
    """Declare the controller. The settings tell which names a route needs."""
    return ControllerSpec(
        "serving-route",
        sources.ROUTES,
        lambda lister, key: observe(lister, key, settings()),
        reconcile,
        watches=(
            Watch(sources.CONFIGURATIONS, sources.routes_of_configuration),
            Watch(sources.REVISIONS, sources.routes_of_revision),
            Watch(sources.INGRESSES, owner_key(ROUTES)),
            Watch(sources.K8S_SERVICES, _routes_of_service),
        ),
        indexes=(
            sources.ROUTES_BY_CONFIGURATION,
            sources.ROUTES_BY_REVISION,
            sources.K8S_SERVICES_BY_ROUTE,
        ),
    )

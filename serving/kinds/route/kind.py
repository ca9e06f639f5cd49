"""What the Route's controller watches and observes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from hearth.knative.resources import ROUTES
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Index, Lister, Watch, owner_key
from hearth.kube.meta import Key, Object, key_text, labels, name, namespace
from serving.api import keys, views
from serving.api.rollouts import surge_of
from serving.api.settings import Settings
from serving.kinds import sources
from serving.kinds.certificates import is_asked_for
from serving.kinds.route.certificates import certificate_names
from serving.kinds.route.reconcile import (
    Observed,
    placeholder_names,
    reconcile,
    wanted_hosts,
)
from serving.kinds.status import NEWS_SECONDS, is_ready_otherwise, is_without_news, names_otherwise
from serving.routing.domains import expanded
from serving.routing.hosts import hosts_of
from serving.routing.surge import rollout_of
from serving.routing.targets import port_names


def observe(lister: Lister, key: Key, settings: Settings) -> Observed | None:
    """Look up the Route, what its traffic names, its KIngress and its placeholder Services."""
    route = lister.get(sources.ROUTES, *key)
    if route is None:
        return None
    configurations, revisions = _targets(lister, key[0], views.Route(route).traffic)
    services = lister.by_index(sources.K8S_SERVICES_BY_ROUTE, key_text(key))
    by_name = {name(service): service for service in services}
    ports = sorted(port_names(revisions.values()))
    for hostname in placeholder_names(route, ports, settings):
        reserved = lister.get(sources.K8S_SERVICES, key[0], hostname)
        if reserved is not None:
            by_name[hostname] = reserved
    return Observed(
        route,
        configurations,
        revisions,
        lister.get(sources.INGRESSES, *key),
        by_name,
        sources.holders(lister, wanted_hosts(route, ports, settings), route),
        _certificates(lister, route, settings),
        _wildcards(lister, route, settings),
        _podautoscalers(lister, route, revisions),
    )


def _podautoscalers(lister: Lister, route: Object, revisions: Iterable[str]) -> dict[str, Object]:
    """Find those of a rollout that is bounded in pods; of others none."""
    if surge_of(meta.annotations(route)) is None:
        return {}
    going = rollout_of(lister.get(sources.INGRESSES, *meta.key(route)))
    shares = (share.revision for part in going.configurations for share in part.shares)
    found = {each: lister.get(sources.PODAUTOSCALERS, namespace(route), each)
             for each in (*revisions, *shares)}  # fmt: skip
    return {each: scaler for each, scaler in found.items() if scaler is not None}


def _certificates(lister: Lister, route: Object, settings: Settings) -> dict[str, Object]:
    own = lister.by_index(sources.CERTIFICATES_BY_ROUTE, key_text(meta.key(route)))
    by_name = {name(certificate): certificate for certificate in own}
    if is_asked_for(route, settings) or settings.network.cluster_local_domain_tls:
        for title in certificate_names(route, settings):
            found = lister.get(sources.CERTIFICATES, namespace(route), title)
            if found is not None:
                by_name[title] = found
    return by_name


def _wildcards(lister: Lister, route: Object, settings: Settings) -> Sequence[Object]:
    domain = settings.domain.lookup(labels(route))
    return lister.by_index(sources.WILDCARDS, f"{namespace(route)}/{domain}")


def _targets(
    lister: Lister, namespace: str, traffic: Iterable[views.TrafficTarget]
) -> tuple[dict[str, Object], dict[str, Object]]:
    """Find configurations and revisions that targets name, and the latest ones behind them."""
    configurations: dict[str, Object] = {}
    revisions: dict[str, Object] = {}
    for target in traffic:
        asked = [target.revision]
        owner = lister.get(sources.CONFIGURATIONS, namespace, target.configuration)
        if owner is not None:
            configurations[name(owner)] = owner
            asked.append(views.Configuration(owner).latest_ready)
        for revision_name in asked:
            revision = lister.get(sources.REVISIONS, namespace, revision_name)
            if revision is not None:
                revisions[revision_name] = revision
                asked += filter(None, [meta.annotations(revision).get(keys.ROLLED_BACK_TO)])
    return configurations, revisions


def _routes_of_service(lister: Lister, service: Object) -> Iterator[Key]:
    """Map a Service to the route it is a placeholder of, or one that would like its name."""
    label = labels(service).get(keys.ROUTE)
    if label:
        yield namespace(service), label
    elif lister.get(sources.ROUTES, namespace(service), name(service)) is not None:
        yield namespace(service), name(service)


def _hosts(route: Object) -> Iterator[str]:
    """Index a route by the hosts that its status tells, whether it got them or not."""
    status = route.get("status") or {}
    for told in (status, status.get("address") or {}, *(status.get("traffic") or ())):
        if host := urlsplit(told.get("url") or "").hostname:
            yield from expanded(host)


_BY_HOST = Index(sources.ROUTES, _hosts)


def _routes_of_wildcard(lister: Lister, certificate: Object) -> Iterator[Key]:
    """Map a Certificate for all names of a domain to the routes of its namespace."""
    if keys.WILDCARD_DOMAIN in labels(certificate):
        yield from map(meta.key, lister.list(sources.ROUTES, namespace(certificate)))


def _routes_of_hosts(lister: Lister, ingress: Object) -> Iterator[Key]:
    """Map a KIngress to the routes that have one of its hosts or go without it."""
    for host in hosts_of(ingress):
        yield from map(meta.key, lister.by_index(_BY_HOST, host))


def controller(settings: Callable[[], Settings]) -> ControllerSpec[Observed, Settings]:
    """Declare the controller. The settings tell which names a route needs."""
    return ControllerSpec(
        "serving-route",
        sources.ROUTES,
        lambda lister, key: observe(lister, key, settings()),
        reconcile,
        can_wait=is_without_news,
        delay_seconds=NEWS_SECONDS,
        settles=True,
        watches=(
            Watch(sources.CONFIGURATIONS, sources.routes_of_configuration, when=names_otherwise),
            Watch(sources.REVISIONS, sources.routes_of_revision, when=is_ready_otherwise),
            Watch(sources.INGRESSES, owner_key(ROUTES), is_own=True),
            Watch(sources.CERTIFICATES, owner_key(ROUTES)),
            Watch(sources.CERTIFICATES, _routes_of_wildcard),
            Watch(sources.INGRESSES, _routes_of_hosts),
            Watch(sources.K8S_SERVICES, _routes_of_service, is_own=True),
        ),
        indexes=(
            sources.ROUTES_BY_CONFIGURATION,
            sources.ROUTES_BY_REVISION,
            sources.K8S_SERVICES_BY_ROUTE,
            sources.CERTIFICATES_BY_ROUTE,
            sources.WILDCARDS,
            sources.INGRESSES_BY_HOST,
            _BY_HOST,
        ),
    )

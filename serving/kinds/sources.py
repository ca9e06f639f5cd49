"""What the controllers of serving watch, and the indexes that several of them read by. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from hearth.knative import resources as knative
from hearth.kube import meta, resources
from hearth.kube.controllerspec import Index, Lister, Source
from hearth.kube.meta import Key, Object, controller_of, key_text, labels, name, namespace, uid
from serving.api import keys, views
from serving.kinds.metadata import route_names
from serving.routing.hosts import hosts_of

SERVICES = Source(knative.KSERVICES)
CONFIGURATIONS = Source(knative.CONFIGURATIONS)
REVISIONS = Source(knative.REVISIONS)
ROUTES = Source(knative.ROUTES)
PODAUTOSCALERS = Source(knative.PODAUTOSCALERS)
INGRESSES = Source(knative.KINGRESSES)
DOMAINMAPPINGS = Source(knative.DOMAINMAPPINGS)
CERTIFICATES = Source(knative.CERTIFICATES)
CLAIMS = Source(knative.CLUSTERDOMAINCLAIMS)
DEPLOYMENTS = Source(resources.DEPLOYMENTS, label_selector=keys.REVISION_UID)
PODS = Source(resources.PODS, label_selector=keys.REVISION, unread=("spec",))
"""Of pods the controllers read how they are; what they are to be is the larger half."""
K8S_SERVICES = Source(resources.SERVICES)
HPAS = Source(resources.HPAS, label_selector=keys.REVISION_UID)
ACTIVATOR_SLICES = Source(resources.ENDPOINTSLICES, label_selector=keys.ACTIVATORS)
"""Endpoints of the activators, under their own Service and under those of revisions."""


# -- by label ----------------------------------------------------------------------------------


def by_label(label: str) -> Callable[[Object], Iterator[str]]:
    """Index an object by the name that a label of it holds, with its namespace."""

    def function(obj: Object) -> Iterator[str]:
        value = labels(obj).get(label)
        if value:
            yield f"{namespace(obj)}/{value}"

    return function


REVISIONS_BY_CONFIGURATION = Index(REVISIONS, by_label(keys.CONFIGURATION))
PODAUTOSCALERS_BY_SERVICE = Index(PODAUTOSCALERS, by_label(keys.SERVICE))
PODS_BY_REVISION = Index(PODS, by_label(keys.REVISION))
K8S_SERVICES_BY_ROUTE = Index(K8S_SERVICES, by_label(keys.ROUTE))
CERTIFICATES_BY_ROUTE = Index(CERTIFICATES, by_label(keys.ROUTE))
WILDCARDS = Index(CERTIFICATES, by_label(keys.WILDCARD_DOMAIN))
"""Certificates for all names of a domain in a namespace."""


def service_of(lister: Lister, obj: Object) -> Object | None:
    """Look up the Service that a Revision or a PodAutoscaler belongs to."""
    service = labels(obj).get(keys.SERVICE)
    return lister.get(SERVICES, namespace(obj), service) if service else None


# -- hosts -------------------------------------------------------------------------------------

INGRESSES_BY_HOST = Index(INGRESSES, hosts_of)


def holders(lister: Lister, hosts: Iterable[str], owner: Object) -> dict[str, list[Object]]:
    """Find, for each host, the others that have it: the owner of the KIngress, or itself."""
    holders: dict[str, list[Object]] = {}
    for host in hosts:
        for ingress in lister.by_index(INGRESSES_BY_HOST, host):
            holder = _owner_of(lister, ingress)
            if holder is not None and uid(holder) != uid(owner):
                holders.setdefault(host, []).append(holder)
    return holders


def _owner_of(lister: Lister, ingress: Object) -> Object | None:
    """Find the Route or DomainMapping of a KIngress; None where it is gone already."""
    reference = controller_of(ingress)
    for source in (ROUTES, DOMAINMAPPINGS):
        if reference is not None and reference["kind"] == source.resource.kind:
            return lister.get(source, namespace(ingress), reference["name"])
    return ingress


# -- routes and what they lead to --------------------------------------------------------------


def _marks(obj: Object) -> Iterator[str]:
    """Index an object by the routes it is marked with."""
    for route in sorted(route_names(meta.annotations(obj).get(keys.ROUTES, ""))):
        yield f"{namespace(obj)}/{route}"


def _target_configurations(route: Object) -> Iterator[str]:
    for target in views.Route(route).traffic:
        if target.configuration:
            yield f"{namespace(route)}/{target.configuration}"


def _target_revisions(route: Object) -> Iterator[str]:
    for target in views.Route(route).traffic:
        if target.revision:
            yield f"{namespace(route)}/{target.revision}"


REVISIONS_BY_MARK = Index(REVISIONS, _marks)
CONFIGURATIONS_BY_MARK = Index(CONFIGURATIONS, _marks)
ROUTES_BY_CONFIGURATION = Index(ROUTES, _target_configurations)
ROUTES_BY_REVISION = Index(ROUTES, _target_revisions)


def routes_of_configuration(lister: Lister, configuration: Object) -> Iterator[Key]:
    """Map a Configuration to the routes that lead to it or are said to."""
    own = f"{namespace(configuration)}/{name(configuration)}"
    yield from map(meta.key, lister.by_index(ROUTES_BY_CONFIGURATION, own))
    yield from _marked_routes(configuration)


def routes_of_revision(lister: Lister, revision: Object) -> Iterator[Key]:
    """Map a Revision to the routes that lead to it, to its Configuration, or are said to."""
    own = f"{namespace(revision)}/{name(revision)}"
    yield from map(meta.key, lister.by_index(ROUTES_BY_REVISION, own))
    owner = labels(revision).get(keys.CONFIGURATION)
    if owner:
        routes = lister.by_index(ROUTES_BY_CONFIGURATION, key_text((namespace(revision), owner)))
        yield from map(meta.key, routes)
    yield from _marked_routes(revision)


def _marked_routes(obj: Object) -> Iterator[Key]:
    for route in sorted(route_names(meta.annotations(obj).get(keys.ROUTES, ""))):
        yield namespace(obj), route

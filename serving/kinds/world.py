"""What the reconcilers see: watch caches with the indexes they need, and one observe per kind.

All reads of the control plane are here; ``reconcile`` functions get what is observed, and nothing
else. Cached objects are shared and are never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from hearth.knative import resources as knative
from hearth.kube import meta
from hearth.kube import resources as kinds
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.controllerspec import IndexFunction
from hearth.kube.meta import Key, Object, controller_of, is_deleting, labels, name, namespace
from hearth.kube.resources import Resource
from serving.api import keys
from serving.api.settings import Settings
from serving.autoscaler.metrics import PodCounts
from serving.kinds import gc, labeler
from serving.kinds.configuration import reconcile as configuration
from serving.kinds.configuration.children import template_name
from serving.kinds.domainmapping import reconcile as domainmapping
from serving.kinds.domainmapping.children import ingress_name
from serving.kinds.podautoscaler import kpa as podautoscaler
from serving.kinds.revision import reconcile as revision
from serving.kinds.revision.children import deployment_name
from serving.kinds.route import reconcile as route
from serving.kinds.service import reconcile as service
from serving.kinds.service.children import route_names
from serving.kinds.services import private_name

ToKeys = Callable[[Object], Iterable[Key]]

_BY_CONFIGURATION, _BY_REVISION, _BY_ROUTE = "configuration", "revision", "route"
_TARGET_CONFIGURATION, _TARGET_REVISION, _REFERENCE = (
    "target configuration",
    "target revision",
    "reference",
)


class World:
    """The caches of one control plane."""

    def __init__(self, client: KubeClient) -> None:
        def cache(resource: Resource, label_selector: str | None = None) -> WatchCache:
            return WatchCache(client, resource, label_selector=label_selector)

        self.services = cache(knative.KSERVICES)
        self.configurations = cache(knative.CONFIGURATIONS)
        self.revisions = cache(knative.REVISIONS)
        self.routes = cache(knative.ROUTES)
        self.podautoscalers = cache(knative.PODAUTOSCALERS)
        self.ingresses = cache(knative.KINGRESSES)
        self.mappings = cache(knative.DOMAINMAPPINGS)
        self.claims = cache(knative.CLUSTERDOMAINCLAIMS)
        self.deployments = cache(kinds.DEPLOYMENTS, keys.REVISION_UID)
        self.pods = cache(kinds.PODS, keys.REVISION)
        self.k8s_services = cache(kinds.SERVICES)
        self.hpas = cache(kinds.HPAS, keys.REVISION_UID)
        self._index()

    def caches(self) -> tuple[WatchCache, ...]:
        return (
            self.services,
            self.configurations,
            self.revisions,
            self.routes,
            self.podautoscalers,
            self.ingresses,
            self.mappings,
            self.claims,
            self.deployments,
            self.pods,
            self.k8s_services,
            self.hpas,
        )

    def _index(self) -> None:
        self.revisions.add_index(_BY_CONFIGURATION, _labelled(keys.CONFIGURATION))
        self.revisions.add_index(_BY_ROUTE, _routed)
        self.configurations.add_index(_BY_ROUTE, _routed)
        self.pods.add_index(_BY_REVISION, _labelled(keys.REVISION))
        self.k8s_services.add_index(_BY_ROUTE, _labelled(keys.ROUTE))
        self.routes.add_index(_TARGET_CONFIGURATION, _targets("configurationName"))
        self.routes.add_index(_TARGET_REVISION, _targets("revisionName"))
        self.mappings.add_index(_REFERENCE, _reference)

    # -- observing -----------------------------------------------------------------------------

    def service(self, key: Key) -> service.Observed:
        found = self.configurations.get(*key)
        named = None
        if found is not None and template_name(found):
            named = self.revisions.get(key[0], template_name(found))
        return service.Observed(self.services.get(*key), found, self.routes.get(*key), named)

    def configuration(self, key: Key) -> configuration.Observed:
        found = self.configurations.get(*key)
        named = None
        if found is not None and template_name(found):
            named = self.revisions.get(key[0], template_name(found))
        return configuration.Observed(found, self._revisions_of(key), named)

    def gc(self, key: Key) -> gc.Observed:
        return gc.Observed(self.configurations.get(*key), self._revisions_of(key))

    def _revisions_of(self, key: Key) -> tuple[Object, ...]:
        return tuple(self.revisions.by_index(_BY_CONFIGURATION, "/".join(key)))

    def revision(self, key: Key) -> revision.Observed:
        found = self.revisions.get(*key)
        if found is None:
            return revision.Observed(None)
        return revision.Observed(
            found,
            self.deployments.get(key[0], deployment_name(found)),
            self.podautoscalers.get(*key),
            tuple(self.pods_of(key)),
        )

    def podautoscaler(self, key: Key, decided: int) -> podautoscaler.Observed:
        found = self.podautoscalers.get(*key)
        if found is None:
            return podautoscaler.Observed(None)
        return podautoscaler.Observed(
            found,
            public=self.k8s_services.get(*key),
            private=self.k8s_services.get(key[0], private_name(found)),
            deployment=self.deployments.get(key[0], found["spec"]["scaleTargetRef"]["name"]),
            ready_pods=self.ready_pods(key),
            decided=decided,
        )

    def route(self, key: Key, settings: Settings) -> route.Observed:
        found = self.routes.get(*key)
        if found is None:
            return route.Observed(None)
        configurations, revisions = self._targets(key[0], found["spec"].get("traffic") or ())
        services = {name(s): s for s in self.k8s_services.by_index(_BY_ROUTE, "/".join(key))}
        for hostname in route.placeholder_names(found, settings):
            reserved = self.k8s_services.get(key[0], hostname)
            if reserved is not None:
                services[hostname] = reserved
        return route.Observed(found, configurations, revisions, self.ingresses.get(*key), services)

    def _targets(
        self, space: str, traffic: Iterable[dict[str, str]]
    ) -> tuple[dict[str, Object], dict[str, Object]]:
        """Configurations and revisions that targets name, and the latest ones behind them."""
        configurations: dict[str, Object] = {}
        revisions: dict[str, Object] = {}
        for target in traffic:
            wanted = [target.get("revisionName") or ""]
            owner = self.configurations.get(space, target.get("configurationName") or "")
            if owner is not None:
                configurations[name(owner)] = owner
                status = owner.get("status") or {}
                wanted.append(status.get("latestReadyRevisionName") or "")
            for revision_name in wanted:
                found = self.revisions.get(space, revision_name)
                if found is not None:
                    revisions[revision_name] = found
        return configurations, revisions

    def labeler(self, key: Key) -> labeler.Observed:
        found, space = self.routes.get(*key), key[0]
        marked = "/".join(key)
        revisions = {name(r): r for r in self.revisions.by_index(_BY_ROUTE, marked)}
        configurations = {name(c): c for c in self.configurations.by_index(_BY_ROUTE, marked)}
        if found is not None:
            for target in labeler.targets(found):
                self._add(revisions, self.revisions, space, target.get("revisionName"))
                self._add(
                    configurations, self.configurations, space, target.get("configurationName")
                )
            for revision_ in tuple(revisions.values()):
                owner = controller_of(revision_)
                if owner is not None:
                    self._add(configurations, self.configurations, space, owner["name"])
            for configuration_ in configurations.values():
                latest = (configuration_.get("status") or {}).get("latestCreatedRevisionName")
                self._add(revisions, self.revisions, space, latest)
        return labeler.Observed(key, found, configurations, revisions)

    @staticmethod
    def _add(into: dict[str, Object], cache: WatchCache, space: str, wanted: str | None) -> None:
        found = cache.get(space, wanted or "")
        if found is not None:
            into[name(found)] = found

    def domainmapping(self, key: Key) -> domainmapping.Observed:
        found, claim = self.mappings.get(*key), self.claims.get("", key[1])
        if found is None:
            return domainmapping.Observed(key, None, claim)
        return domainmapping.Observed(
            key,
            found,
            claim,
            self._reference(found["spec"]["ref"], key[0]),
            self.ingresses.get(key[0], ingress_name(found)),
        )

    def _reference(self, reference: dict[str, str], space: str) -> Object | None:
        caches = {
            (kinds.SERVICES.api_version, kinds.SERVICES.kind): self.k8s_services,
            (knative.KSERVICES.api_version, knative.KSERVICES.kind): self.services,
            (knative.ROUTES.api_version, knative.ROUTES.kind): self.routes,
        }
        cache = caches.get((reference.get("apiVersion", ""), reference.get("kind", "")))
        return None if cache is None else cache.get(space, reference.get("name", ""))

    # -- pods ----------------------------------------------------------------------------------

    def pods_of(self, key: Key) -> Sequence[Object]:
        return self.pods.by_index(_BY_REVISION, "/".join(key))

    def ready_pods(self, key: Key) -> int:
        return sum(1 for pod in self.pods_of(key) if not is_deleting(pod) and is_ready(pod))

    def pod_counts(self, key: Key) -> PodCounts:
        pods = self.pods_of(key)
        alive = [pod for pod in pods if not is_deleting(pod)]
        ready = sum(1 for pod in alive if is_ready(pod))
        pending = sum(1 for p in alive if (p.get("status") or {}).get("phase") != "Running")
        return PodCounts(
            ready=ready,
            not_ready=max(0, len(alive) - ready - pending),
            pending=pending,
            terminating=len(pods) - len(alive),
        )

    # -- whom a change concerns ----------------------------------------------------------------

    def routes_to_configuration(self, obj: Object) -> Iterator[Key]:
        at = f"{namespace(obj)}/{name(obj)}"
        yield from map(meta.key, self.routes.by_index(_TARGET_CONFIGURATION, at))
        yield from marked_routes(obj)

    def routes_to_revision(self, obj: Object) -> Iterator[Key]:
        space = namespace(obj)
        yield from map(meta.key, self.routes.by_index(_TARGET_REVISION, f"{space}/{name(obj)}"))
        owner = labels(obj).get(keys.CONFIGURATION)
        if owner:
            found = self.routes.by_index(_TARGET_CONFIGURATION, f"{space}/{owner}")
            yield from map(meta.key, found)
        yield from marked_routes(obj)

    def routes_of_service(self, obj: Object) -> Iterator[Key]:
        """The owner of a placeholder, and a route that would like to have the name."""
        label = labels(obj).get(keys.ROUTE)
        if label:
            yield namespace(obj), label
        elif self.routes.get(namespace(obj), name(obj)) is not None:
            yield namespace(obj), name(obj)

    def mappings_to(self, resource: Resource) -> ToKeys:
        """DomainMappings that lead to an object of this kind."""

        def to_keys(obj: Object) -> Iterator[Key]:
            at = f"{resource.api_version}/{resource.kind}/{namespace(obj)}/{name(obj)}"
            yield from map(meta.key, self.mappings.by_index(_REFERENCE, at))

        return to_keys

    def mappings_of_claim(self, obj: Object) -> Iterator[Key]:
        for mapping in self.mappings.list():
            if name(mapping) == name(obj):
                yield meta.key(mapping)
        made_for = labels(obj).get(keys.DOMAIN_MAPPING_NAMESPACE)
        if made_for:
            yield made_for, name(obj)


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def owner_key(kind: str) -> ToKeys:
    """The key of an object's controller, when that is of this kind."""

    def to_keys(obj: Object) -> Iterator[Key]:
        owner = controller_of(obj)
        if owner is not None and owner["kind"] == kind:
            yield namespace(obj), owner["name"]

    return to_keys


def label_key(label: str) -> ToKeys:
    """The key that a label names, in the object's namespace."""

    def to_keys(obj: Object) -> Iterator[Key]:
        value = labels(obj).get(label)
        if value:
            yield namespace(obj), value

    return to_keys


def marked_routes(obj: Object) -> Iterator[Key]:
    """Routes that an object is marked with."""
    for route_name in sorted(route_names(meta.annotations(obj).get(keys.ROUTES, ""))):
        yield namespace(obj), route_name


def _labelled(label: str) -> IndexFunction:
    return lambda obj: ["/".join(key) for key in label_key(label)(obj)]


def _routed(obj: Object) -> list[str]:
    return ["/".join(key) for key in marked_routes(obj)]


def _targets(field: str) -> IndexFunction:
    """What a route's traffic names in one of its fields."""

    def index(obj: Object) -> list[str]:
        traffic = obj["spec"].get("traffic") or ()
        return [f"{namespace(obj)}/{t[field]}" for t in traffic if t.get(field)]

    return index


def _reference(obj: Object) -> list[str]:
    reference = obj["spec"].get("ref") or {}
    kind = f"{reference.get('apiVersion', '')}/{reference.get('kind', '')}"
    return [f"{kind}/{namespace(obj)}/{reference.get('name', '')}"]

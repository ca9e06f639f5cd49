"""What the data plane knows of the cluster: caches of Services, EndpointSlices, pods, Revisions.

Reads only. What follows from a change is in ``watches``. Where pods are watched themselves
(``podwatches``) they have the word: between the moment a pod has an address and the one at which a
slice says so lies a part of every cold start.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

from activator import failures
from activator.backends import Backend
from activator.endpoints import Endpoint, State, endpoints_of, endpoints_of_pods
from activator.pods import Address
from activator.podwatches import PodWatches
from activator.routes import BackendRef
from activator.settings import Settings
from activator.targets import port_target, revision_target
from activator.tunnels import Way
from hearth.knative.resources import KINGRESSES, REVISIONS
from hearth.knative.settings import LiveSettings
from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.guards import caught
from hearth.kube.meta import Object, labels, namespace
from hearth.kube.resources import CONFIGMAPS, ENDPOINTSLICES, SERVICES
from serving.api import keys
from serving.api.config.features import ENABLED
from serving.api.extraports import port_of

SYSTEM_NAMESPACE = "knative-serving"
_SERVICE_LABEL = "kubernetes.io/service-name"


class KubernetesView:
    """The caches, and what they say about one backend."""

    def __init__(self, client: KubeClient) -> None:
        self.settings = LiveSettings(Settings())
        # Knows the routes of KEDA's HTTP add-on.
        self.configure_routed: Callable[[Backend], None] = lambda backend: None
        self.ingresses = WatchCache(client, KINGRESSES)
        self.services = WatchCache(client, SERVICES)
        self.slices = WatchCache(client, ENDPOINTSLICES, label_selector=_SERVICE_LABEL)
        self.revisions = WatchCache(client, REVISIONS)
        self.pods = PodWatches(client, self.services)
        self._config_maps = WatchCache(client, CONFIGMAPS, namespace=SYSTEM_NAMESPACE)
        self.slices.add_index("service", lambda obj: ["/".join(service_of(obj))])
        self.settings.follow(self._config_maps, system_namespace=SYSTEM_NAMESPACE)

    def trust_bundles(self) -> list[str]:
        """Authorities that the cluster believes, each text some certificates in PEM."""
        bundles = (
            (config.get("data") or {}).values()
            for config in self._config_maps.list()
            if labels(config).get(keys.TRUST_BUNDLE) == "true"
        )
        return [text for data in bundles for text in data]

    def on_trust_change(self, callback: Callable[[], None]) -> None:
        """Call back when there may be other bundles."""

        def changed(old: Object | None, new: Object | None) -> None:
            if any(keys.TRUST_BUNDLE in labels(obj) for obj in (old, new) if obj is not None):
                callback()

        self._config_maps.on_change(changed)

    def has_service(self, namespace: str, name: str) -> bool:
        """Whether there is a Service of that name."""
        return self.services.get(namespace, name) is not None

    def is_judged(self, namespace: str, service: str) -> bool:
        """Whether a Knative Service goes by how its requests end (``serving.api.rollouts``)."""
        ingress = self.ingresses.get(namespace, service)
        return ingress is not None and keys.ROLLBACK in meta.annotations(ingress)

    def address_of(self, namespace: str, name: str, port: int) -> Way:
        """A ready endpoint of a port of a Service."""
        if not self.has_service(namespace, name):
            return failures.UNKNOWN_HOST
        endpoints = self._endpoints(BackendRef(namespace, name, port)).values()
        ready = [each.address for each in endpoints if each.state is State.READY]
        return random.choice(ready) if ready else failures.NO_ENDPOINTS

    def fill(self, backend: Backend) -> None:
        """Tell a new backend what is known of it; a bad object of its must not hurt its route."""
        try:
            self.configure(backend)
            self.refresh(backend)
        except Exception:
            caught("activator-backend", (backend.ref.namespace, backend.ref.service))

    def configure(self, backend: Backend) -> None:
        """Give a backend the limits of its revision or its route, where there is one."""
        ref = backend.ref
        if ref.route:
            self.configure_routed(backend)
            return
        revision = self.revisions.get(ref.namespace, ref.revision or ref.service)
        if revision is None:
            return
        target = revision_target(revision, self.settings.value.autoscaler)
        port = port_of(meta.annotations(revision), ref.port)
        if port is None:
            backend.configure(target)
        elif port.counted:
            backend.configure(port_target(target, port))

    def refresh(self, backend: Backend) -> None:
        """Bring a backend's pods in line with the cluster."""
        endpoints = self._endpoints(backend.ref)
        if backend.spec.has_unnamed_port and self._detects_http2():
            endpoints = {
                address: replace(endpoint, speaks_http2=None)
                for address, endpoint in endpoints.items()
            }
        backend.update_endpoints(endpoints)

    def _detects_http2(self) -> bool:
        return self.settings.value.features.autodetect_http2 == ENABLED

    def _endpoints(self, ref: BackendRef) -> dict[Address, Endpoint]:
        service = self.services.get(ref.namespace, ref.service) or {}
        watched = self.pods.behind(service)
        if watched is not None and not watched.are_anybodys:
            return endpoints_of_pods(watched.pods, service, ref.port)
        slices = self.slices.by_index("service", f"{ref.namespace}/{ref.service}")
        listed = endpoints_of(slices, service, ref.port)
        if watched is None:
            return listed
        # Who else has made endpoints has the word of those.
        others = {address: each for address, each in listed.items() if not each.pod}
        return others | endpoints_of_pods(watched.pods, service, ref.port, has_probes=True)

    async def run(self) -> None:
        """Keep the caches in step until cancelled."""
        async with asyncio.TaskGroup() as group:
            for cache in self._caches():
                group.create_task(cache.run(), name=f"watch-{cache.resource.plural}")
            group.create_task(self.pods.run(), name="watch-pods")

    async def synced(self) -> None:
        """Until everything has been listed."""
        for cache in (*self._caches(), self.pods.revisions):
            await cache.synced()

    def _caches(self) -> tuple[WatchCache, ...]:
        return (
            self._config_maps,
            self.revisions,
            self.services,
            self.slices,
            self.ingresses,
        )


def service_of(endpoint_slice: Object) -> tuple[str, str]:
    """Namespace and name of the Service that an EndpointSlice belongs to."""
    return namespace(endpoint_slice), labels(endpoint_slice).get(_SERVICE_LABEL, "")

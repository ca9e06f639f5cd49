"""What the data plane knows of the cluster: caches of Services, EndpointSlices and Revisions.

Reads only. What follows from a change is in ``watches``.
"""

from __future__ import annotations

import asyncio

from activator.backends import Backend
from activator.endpoints import endpoints_of
from activator.settings import Settings
from activator.targets import revision_target
from hearth.knative.resources import KINGRESSES, REVISIONS
from hearth.knative.settings import LiveSettings
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.guards import caught
from hearth.kube.meta import Object, labels, namespace
from hearth.kube.resources import CONFIGMAPS, ENDPOINTSLICES, SERVICES

SYSTEM_NAMESPACE = "knative-serving"
_SERVICE_LABEL = "kubernetes.io/service-name"


class KubernetesView:
    """The caches, and what they say about one backend."""

    def __init__(self, client: KubeClient) -> None:
        self.settings = LiveSettings(Settings())
        self.ingresses = WatchCache(client, KINGRESSES)
        self.services = WatchCache(client, SERVICES)
        self.slices = WatchCache(client, ENDPOINTSLICES, label_selector=_SERVICE_LABEL)
        self.revisions = WatchCache(client, REVISIONS)
        self._config_maps = WatchCache(client, CONFIGMAPS, namespace=SYSTEM_NAMESPACE)
        self.slices.add_index("service", lambda obj: ["/".join(service_of(obj))])
        self.settings.follow(self._config_maps, system_namespace=SYSTEM_NAMESPACE)

    def has_service(self, namespace: str, name: str) -> bool:
        """Whether there is a Service of that name."""
        return self.services.get(namespace, name) is not None

    def fill(self, backend: Backend) -> None:
        """Tell a new backend what is known of it; a bad object of its must not hurt its route."""
        try:
            self.configure(backend)
            self.refresh(backend)
        except Exception:
            caught("activator-backend", (backend.ref.namespace, backend.ref.service))

    def configure(self, backend: Backend) -> None:
        """Give a backend the limits of its revision, where there is one."""
        ref = backend.ref
        revision = self.revisions.get(ref.namespace, ref.revision or ref.service)
        if revision is not None:
            backend.configure(revision_target(revision, self.settings.value.autoscaler))

    def refresh(self, backend: Backend) -> None:
        """Bring a backend's pods in line with its EndpointSlices."""
        ref = backend.ref
        slices = self.slices.by_index("service", f"{ref.namespace}/{ref.service}")
        service = self.services.get(ref.namespace, ref.service)
        backend.update_endpoints(endpoints_of(slices, service, ref.port))

    async def run(self) -> None:
        """Keep the caches in step until cancelled."""
        async with asyncio.TaskGroup() as group:
            for cache in self._caches():
                group.create_task(cache.run(), name=f"watch-{cache.resource.plural}")

    async def synced(self) -> None:
        """Until everything has been listed."""
        for cache in self._caches():
            await cache.synced()

    def _caches(self) -> tuple[WatchCache, ...]:
        return (self._config_maps, self.revisions, self.services, self.slices, self.ingresses)


def service_of(endpoint_slice: Object) -> tuple[str, str]:
    """Namespace and name of the Service that an EndpointSlice belongs to."""
    return namespace(endpoint_slice), labels(endpoint_slice).get(_SERVICE_LABEL, "")

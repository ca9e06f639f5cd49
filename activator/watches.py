"""Keeps the data plane in step with the cluster: KIngress, Service, EndpointSlice, Revision.

Callbacks of the watch caches run on the loop right after an object changed. Endpoints take effect
at once; routes are published together at the end of the loop's turn, so that a list of a thousand
KIngress objects makes one snapshot and not a thousand.
"""

from __future__ import annotations

import asyncio
import logging

from activator.backends import Backend
from activator.endpoints import endpoints_of
from activator.gateway import Gateway, close_idle
from activator.ingress_status import LoadBalancers, refused_status, routed_status
from activator.prober import note_ready
from activator.revisions import revision_spec
from activator.routes import InvalidIngress, RouteTableBuilder
from hearth.knative.resources import KINGRESSES, REVISIONS
from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.controller import Controller
from hearth.kube.errors import NotFound
from hearth.kube.meta import Key, Object, key, labels, name, namespace
from hearth.kube.resources import ENDPOINTSLICES, SERVICES

log = logging.getLogger(__name__)

INGRESS_CLASS = "hearth.ingress.networking.knative.dev"
_CLASS_ANNOTATION = "networking.knative.dev/ingress.class"
_SERVICE_LABEL = "kubernetes.io/service-name"
_STATUS_WORKERS = 8


class Watches:
    """Four caches and what their changes mean."""

    def __init__(
        self,
        gateway: Gateway,
        client: KubeClient,
        *,
        ingress_class: str = INGRESS_CLASS,
        addresses: LoadBalancers | None = None,
        wall: Clock = wall_clock,
    ) -> None:
        self._gateway = gateway
        self._client = client
        self._class = ingress_class
        self._addresses = addresses or LoadBalancers()
        self._wall = wall
        self._builder: RouteTableBuilder[Backend] = RouteTableBuilder(gateway.registry.resolve)
        self._invalid: dict[Key, str] = {}
        self._changed: set[Key] = set()
        self._is_scheduled = False
        self.ingresses = WatchCache(client, KINGRESSES)
        self.services = WatchCache(client, SERVICES)
        self.slices = WatchCache(client, ENDPOINTSLICES, label_selector=_SERVICE_LABEL)
        self.revisions = WatchCache(client, REVISIONS)
        self._status = Controller("ingress-status", self._write_status, workers=_STATUS_WORKERS)
        self._wire()

    def _wire(self) -> None:
        gateway = self._gateway
        self.slices.add_index("service", lambda obj: [_service_key(obj)])
        gateway.registry.on_new = self._fill
        gateway.find_service = lambda space, service: self.services.get(space, service) is not None
        self.revisions.on_change(self._revision_changed)
        self.services.on_change(self._service_changed)
        self.slices.on_change(self._slice_changed)
        self.ingresses.on_change(self._ingress_changed)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for cache in (self.revisions, self.services, self.slices, self.ingresses):
                group.create_task(cache.run(), name=f"watch-{cache.resource.plural}")
            group.create_task(self._status.run(), name="ingress-status")

    async def synced(self) -> None:
        for cache in (self.revisions, self.services, self.slices, self.ingresses):
            await cache.synced()
        if self._is_scheduled:
            self._publish()

    # Pods.

    def _fill(self, backend: Backend) -> None:
        """A new backend: what the caches know of it already."""
        space = backend.ref.namespace
        revision = self.revisions.get(space, backend.ref.revision or backend.ref.service)
        if revision is not None:
            backend.configure(revision_spec(revision))
        self._refresh(backend)

    def _refresh(self, backend: Backend) -> None:
        """Bring a backend's pods in line with its EndpointSlices."""
        space, service = backend.ref.namespace, backend.ref.service
        endpoints = endpoints_of(
            self.slices.by_index("service", f"{space}/{service}"),
            self.services.get(space, service),
            backend.ref.port,
        )
        throttler, now = backend.throttler, self._gateway.clock()
        had_pods = bool(throttler.pods)
        for pod in throttler.update(endpoints, now):
            close_idle(pod)
        if throttler.pods and not had_pods:
            backend.pod_seen_at = now
        if throttler.ready:
            note_ready(backend, now)
        if throttler.waiting:
            self._gateway.admit(backend)
            self._gateway.turn_away(backend)
            self._gateway.demand(backend)

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        for found in {_service_key(obj) for obj in (old, new) if obj is not None}:
            space, _, service = found.partition("/")
            for backend in self._gateway.registry.of_service(space, service):
                self._refresh(backend)

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is not None:
            for backend in self._gateway.registry.of_service(namespace(obj), name(obj)):
                self._refresh(backend)
        if new is None:
            self._sweep()

    def _revision_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is None:
            return
        for backend in self._gateway.registry.of_service(namespace(obj), name(obj)):
            if new is None:
                backend.is_gone = True
                self._gateway.turn_away(backend)
                continue
            backend.configure(revision_spec(new))
            if backend.throttler.waiting:
                self._gateway.admit(backend)
                self._gateway.demand(backend)

    # Routes.

    def _ingress_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _is_same_route(old, new):
            # Only the status changed, and that was us.
            return
        obj = new or old
        if obj is None:
            return
        found = key(obj)
        if new is None or not self._is_ours(new):
            self._builder.remove(*found)
            self._invalid.pop(found, None)
        else:
            self._take_over(new)
        self._changed.add(found)
        self._publish_soon()

    def _take_over(self, ingress: Object) -> None:
        found = key(ingress)
        try:
            self._builder.put(ingress)
            self._invalid.pop(found, None)
        except InvalidIngress as error:
            self._invalid[found] = str(error)
            log.warning(
                "ingress cannot be routed",
                extra={"knative.dev/key": "/".join(found), "error": str(error)},
            )

    def _is_ours(self, ingress: Object) -> bool:
        return meta.annotations(ingress).get(_CLASS_ANNOTATION) == self._class

    def _publish_soon(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._publish)

    def _publish(self) -> None:
        """From here on every request sees the new table; then the status may say so."""
        if not self._is_scheduled:
            return
        self._is_scheduled = False
        self._gateway.table = self._builder.snapshot()
        changed, self._changed = self._changed, set()
        for found in changed:
            self._status.queue.add(found)
        self._sweep()

    def _sweep(self) -> None:
        for backend in self._gateway.registry.sweep(self._builder.references()):
            for pod in backend.throttler.pods.values():
                close_idle(pod)

    async def _write_status(self, found: Key) -> float | None:
        ingress = self.ingresses.get(*found)
        if ingress is None or not self._is_ours(ingress):
            return None
        generation = int(ingress["metadata"].get("generation", 0))
        refusal = self._invalid.get(found)
        if refusal is not None:
            status = refused_status(ingress, refusal, now=self._wall())
        elif self._gateway.table.generations.get(found) == generation:
            status = routed_status(ingress, self._addresses, now=self._wall())
        else:
            # A newer one is on its way into the table and will be queued again.
            return None
        if status != ingress.get("status"):
            await self._update(ingress, status)
        return None

    async def _update(self, ingress: Object, status: Object) -> None:
        try:
            written = await self._client.update_status(KINGRESSES, {**ingress, "status": status})
        except NotFound:
            return
        self.ingresses.put(written)


def _service_key(item: Object) -> str:
    return f"{namespace(item)}/{labels(item).get(_SERVICE_LABEL, '')}"


def _is_same_route(old: Object, new: Object) -> bool:
    return _identity(old["metadata"]) == _identity(new["metadata"])


def _identity(metadata: Object) -> tuple[object, object, object]:
    """What of the metadata a route depends on; the spec is in the generation."""
    shown = metadata.get("annotations") or {}
    return metadata.get("uid"), metadata.get("generation"), shown.get(_CLASS_ANNOTATION)

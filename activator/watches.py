"""Keeps the data plane in step with the cluster: KIngress, Service, EndpointSlice, pod, Revision.

Callbacks of the watch caches run on the loop right after an object changed. Endpoints take effect
at once; routes are published together at the end of the loop's turn, so that a list of a thousand
KIngress objects makes one snapshot and not a thousand. What one object breaks ends no watch: the
caches see to that, and a KIngress that cannot be routed says so in its status.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from activator.addon import Addon
from activator.backends import Backend
from activator.dataplane import DataPlane
from activator.encryption import Encryption
from activator.gateway import GatewaySettings
from activator.ingress_status import (
    CONFLICT_REASON,
    LoadBalancers,
    refused_status,
    routed_status,
    uncertified_status,
)
from activator.policies import USUAL, AddonSettings
from activator.routes import ROUTING_ANNOTATIONS, InvalidIngress, RouteTableBuilder
from activator.settings import Settings
from activator.view import KubernetesView, service_of
from hearth.knative.resources import KINGRESSES
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.controller import Controller
from hearth.kube.errors import NotFound
from hearth.kube.meta import Key, Object, key_text, name, namespace
from hearth.kube.meta import key as key_of

log = logging.getLogger(__name__)

INGRESS_CLASS = "hearth.ingress.networking.knative.dev"
_CLASS_ANNOTATION = "networking.knative.dev/ingress.class"
_STATUS_WORKERS = 8


class Watches:
    """What changes in the cluster mean for the data plane."""

    def __init__(
        self,
        plane: DataPlane,
        view: KubernetesView,
        client: KubeClient,
        *,
        ingress_class: str = INGRESS_CLASS,
        addresses: LoadBalancers,
        addon: AddonSettings = USUAL,
        wall: Clock = wall_clock,
    ) -> None:
        """``addresses`` are what a KIngress' status says of the two listeners."""
        self._gateway = plane.gateway
        self._room = plane.room
        self._backends = plane.backends
        self._view = view
        self._client = client
        self._class = ingress_class
        self._addresses = addresses
        self._wall = wall
        self._builder: RouteTableBuilder[Backend] = RouteTableBuilder(plane.backends.resolve)
        self._invalid: dict[Key, str] = {}
        self._changed: set[Key] = set()
        self._is_scheduled = False
        self.encryption = Encryption(client, plane.timers, self._certificates_changed)
        self.addon = Addon(
            client,
            plane.backends,
            addon,
            self._publish_soon,
            holder=self._builder.holder,
            wall=wall,
        )
        view.configure_routed = self.addon.configure
        self._status = Controller("ingress-status", self._write_status, workers=_STATUS_WORKERS)
        view.settings.on_change(self._settings_changed)
        view.on_trust_change(lambda: plane.pools.trust.set(view.trust_bundles()))
        view.revisions.on_change(self._revision_changed)
        view.services.on_change(self._service_changed)
        view.slices.on_change(self._slice_changed)
        view.pods.on_change(self._pod_changed)
        view.pods.listed = self._pods_listed
        view.ingresses.on_change(self._ingress_changed)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._view.run(), name="watch-caches")
            group.create_task(self._status.run(), name="ingress-status")
            group.create_task(self.addon.run(), name="addon")

    async def synced(self) -> None:
        """Until everything has been listed and is routed."""
        await self._view.synced()
        await self.addon.synced()
        if self._is_scheduled:
            self._publish()

    # -- backends -----------------------------------------------------------------------------

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        for service in {service_of(obj) for obj in (old, new) if obj is not None}:
            for backend in self._backends.of_service(*service):
                self._view.refresh(backend)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pods = [pod for pod in (old, new) if pod is not None]
        for service in {key for pod in pods for key in self._view.pods.services_of(pod)}:
            for backend in self._backends.of_service(*service):
                self._view.refresh(backend)

    def _pods_listed(self, namespace: str) -> None:
        for backend in self._backends.all():
            if backend.ref.namespace == namespace:
                self._view.refresh(backend)

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is not None:
            for backend in self._backends.of_service(namespace(obj), name(obj)):
                self._view.refresh(backend)
        if new is None:
            self._sweep()

    def _revision_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is None:
            return
        for backend in self._backends.of_service(namespace(obj), name(obj)):
            if new is None:
                backend.retire()
            else:
                self._view.configure(backend)
                self._view.refresh(backend)

    def _settings_changed(self, settings: Settings) -> None:
        self._gateway.settings = GatewaySettings(
            trusts_forwarded=settings.gateway.trust_forwarded_headers
        )
        self._room.limits = settings.gateway.backlog
        self.encryption.set_default(settings.gateway.default_certificate)
        for backend in self._backends.all():
            self._view.configure(backend)
            self._view.refresh(backend)

    # -- routes -------------------------------------------------------------------------------

    def _ingress_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _is_same_route(old, new):
            # Only the status changed, and that was us.
            return
        obj = new or old
        if obj is None:
            return
        key = key_of(obj)
        if new is None or not self._is_ours(new):
            self._changed |= self._builder.remove(*key) | self.encryption.remove(*key)
            self._invalid.pop(key, None)
        else:
            self._take_over(key, new)
        self._changed.add(key)
        self._publish_soon()

    def _take_over(self, key: Key, ingress: Object) -> None:
        try:
            self._changed |= self._builder.put(ingress) | self.encryption.put(ingress)
            self._invalid.pop(key, None)
        except InvalidIngress as error:
            self._invalid[key] = str(error)
            log.warning(
                "ingress cannot be routed",
                extra={"knative.dev/key": key_text(key), "error": str(error)},
            )

    def _is_ours(self, ingress: Object) -> bool:
        return meta.annotations(ingress).get(_CLASS_ANNOTATION) == self._class

    def _certificates_changed(self, keys: Iterable[Key]) -> None:
        self._changed.update(keys)
        self._publish_soon()

    def _publish_soon(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._publish)

    def _publish(self) -> None:
        """From here on every request sees the new table; then the status may say so."""
        if not self._is_scheduled:
            return
        self._is_scheduled = False
        self._gateway.publish(self._builder.snapshot().beside(self.addon.hosts))
        self.encryption.publish()
        self.addon.published()
        changed, self._changed = self._changed, set()
        for key in changed:
            self._status.queue.add(key)
        self._sweep()

    def _sweep(self) -> None:
        routed = self.addon.references()
        self._view.pods.follow(frozenset(ref.namespace for ref in routed))
        self._backends.sweep(self._builder.references() | routed)

    # -- status -------------------------------------------------------------------------------

    async def _write_status(self, key: Key) -> float | None:
        ingress = self._view.ingresses.get(*key)
        if ingress is None or not self._is_ours(ingress):
            return None
        status = self._make_status(key, ingress)
        if status is not None and status != ingress.get("status"):
            await self._update(ingress, status)
        return None

    def _make_status(self, key: Key, ingress: Object) -> Object | None:
        """None while a newer generation is on its way into the table; it is queued again."""
        refusal = self._invalid.get(key)
        if refusal is not None:
            return refused_status(ingress, refusal, now=self._wall())
        generation = int(ingress["metadata"].get("generation", 0))
        if self._gateway.table.generations.get(key) != generation:
            return None
        conflict = self._builder.conflict(key)
        if conflict is not None:
            host, owner = conflict
            text = f"host {host!r} is routed by {key_text(owner)}"
            return refused_status(ingress, text, now=self._wall(), reason=CONFLICT_REASON)
        problem = self.encryption.problem(key)
        if problem is not None:
            return uncertified_status(
                ingress, problem.text, now=self._wall(), may_come=problem.may_come
            )
        return routed_status(ingress, self._addresses, now=self._wall())

    async def _update(self, ingress: Object, status: Object) -> None:
        try:
            written = await self._client.update_status(KINGRESSES, {**ingress, "status": status})
        except NotFound:
            return
        self._view.ingresses.put(written)


def _is_same_route(old: Object, new: Object) -> bool:
    return _identity(old["metadata"]) == _identity(new["metadata"])


def _identity(metadata: Object) -> tuple[object, ...]:
    """What of the metadata a route depends on; the spec is in the generation."""
    shown = metadata.get("annotations") or {}
    return (
        metadata.get("uid"),
        metadata.get("generation"),
        shown.get(_CLASS_ANNOTATION),
        *(shown.get(each) for each in ROUTING_ANNOTATIONS),
    )

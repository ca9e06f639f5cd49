"""Runs the reconcilers: work queues, who wakes whom, and the plans carried out.

The shell around the pure modules beside it. ``ControlPlane`` owns the caches, the controllers and
the autoscaler's engine; ``serving.main`` starts it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from hearth.knative import resources as knative
from hearth.kube import resources as kinds
from hearth.kube.apply import apply_plan
from hearth.kube.cache import WatchCache, put_into
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.controller import Controller
from hearth.kube.errors import ApiError, BadRequest, Forbidden, Invalid, NotFound, Retryable
from hearth.kube.events import EventRecorder
from hearth.kube.meta import Key, Object, key
from hearth.kube.plan import Patch, Plan
from serving.api import keys
from serving.api.settings import Settings
from serving.autoscaler.decide import TICK_SECONDS
from serving.autoscaler.engine import Engine
from serving.autoscaler.spec import bounds_of, class_of, decider_spec
from serving.kinds import gc, labeler
from serving.kinds.configuration import reconcile as configuration
from serving.kinds.domainmapping import reconcile as domainmapping
from serving.kinds.podautoscaler import hpa
from serving.kinds.podautoscaler import kpa as podautoscaler
from serving.kinds.revision import reconcile as revision
from serving.kinds.route import reconcile as route
from serving.kinds.service import reconcile as service
from serving.kinds.world import World, label_key, owner_key

log = logging.getLogger(__name__)

MANAGER = "hearth-serving"
_QUIET_SECONDS = 0.2
"""After a wake-up nothing is written about it until a pod is ready, at most for this long: who
waits for the pod shall not wait for our status updates."""
_TERMINATING = "is being terminated"

Decide = Callable[[Key], Plan]


@dataclass(frozen=True, slots=True)
class _Watch:
    cache: WatchCache
    to_keys: Callable[[Object], Any] | None = None


class ControlPlane:
    """All controllers of serving in one process. ``run`` works until cancelled."""

    def __init__(
        self, client: KubeClient, *, settings: Settings | None = None, clock: Clock = wall_clock
    ) -> None:
        self.settings = settings or Settings()
        self.world = World(client)
        self.engine = Engine(
            ready_pods=self.world.ready_pods, changed=self._decided, urgent=self._wake_up
        )
        self._client = client
        self._clock = clock
        self._events = EventRecorder(client)
        self._seen = put_into(self.world.caches())
        self._waking: dict[Key, asyncio.Task[None]] = {}
        self._quiet_until: dict[Key, float] = {}
        self.controllers = self._wire()
        self._podautoscalers = self.controllers["podautoscaler"]
        self.world.podautoscalers.on_change(self._podautoscaler_changed)
        self.world.pods.on_change(self._pod_changed)

    # -- life ----------------------------------------------------------------------------------

    async def run(self, synced: Callable[[], None]) -> None:
        """Works until cancelled; ``synced`` is called once the caches are complete."""
        try:
            async with asyncio.TaskGroup() as group:
                for cache in self.world.caches():
                    group.create_task(cache.run(), name=f"watch-{cache.resource.plural}")
                await asyncio.gather(*(cache.synced() for cache in self.world.caches()))
                for controller in self.controllers.values():
                    group.create_task(controller.run(), name=controller.name)
                group.create_task(self._tick(), name="autoscaler")
                group.create_task(self._events.run(), name="events")
                synced()
        finally:
            for task in tuple(self._waking.values()):
                task.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.engine.tick(self._clock())

    def change_settings(self, settings: Settings) -> None:
        """A ConfigMap changed: everything is looked at anew."""
        self.settings = settings
        for found in self.world.podautoscalers.list():
            self._podautoscaler_changed(None, found)
        by_controller = {
            "service": self.world.services,
            "configuration": self.world.configurations,
            "revision": self.world.revisions,
            "route": self.world.routes,
            "podautoscaler": self.world.podautoscalers,
            "domainmapping": self.world.mappings,
            "gc": self.world.configurations,
        }
        for name, cache in by_controller.items():
            for obj in cache.list():
                self.controllers[name].queue.add(key(obj))

    # -- wiring --------------------------------------------------------------------------------

    def _wire(self) -> dict[str, Controller]:
        world = self.world
        to_configuration = label_key(keys.CONFIGURATION)
        to_revision = label_key(keys.REVISION)
        route_sources = (
            _Watch(world.routes),
            _Watch(world.configurations, world.routes_to_configuration),
            _Watch(world.revisions, world.routes_to_revision),
        )
        watches: dict[str, tuple[Decide, tuple[_Watch, ...]]] = {
            "service": (
                lambda at: service.reconcile(world.service(at), now=self._clock()),
                (
                    _Watch(world.services),
                    _Watch(world.configurations, owner_key(knative.KSERVICES.kind)),
                    _Watch(world.routes, owner_key(knative.KSERVICES.kind)),
                    _Watch(world.revisions, label_key(keys.SERVICE)),
                ),
            ),
            "configuration": (
                lambda at: configuration.reconcile(world.configuration(at), now=self._clock()),
                (_Watch(world.configurations), _Watch(world.revisions, to_configuration)),
            ),
            "revision": (
                self._revision,
                (
                    _Watch(world.revisions),
                    _Watch(world.deployments, self._unless_quiet("revision")),
                    _Watch(world.podautoscalers, to_revision),
                    _Watch(world.pods, self._unless_quiet("revision")),
                ),
            ),
            "route": (
                self._route,
                (
                    *route_sources,
                    _Watch(world.ingresses, owner_key(knative.ROUTES.kind)),
                    _Watch(world.k8s_services, world.routes_of_service),
                ),
            ),
            "labeler": (
                lambda at: labeler.reconcile(world.labeler(at), now=self._clock()),
                route_sources,
            ),
            "podautoscaler": (
                self._podautoscaler,
                (
                    _Watch(world.podautoscalers),
                    _Watch(world.deployments, self._unless_quiet("podautoscaler")),
                    _Watch(world.pods, self._unless_quiet("podautoscaler")),
                    _Watch(world.k8s_services, label_key(keys.SERVERLESS_SERVICE)),
                    _Watch(world.hpas, to_revision),
                ),
            ),
            "domainmapping": (
                self._domainmapping,
                (
                    _Watch(world.mappings),
                    _Watch(world.claims, world.mappings_of_claim),
                    _Watch(world.ingresses, owner_key(knative.DOMAINMAPPINGS.kind)),
                    _Watch(world.services, world.mappings_to(knative.KSERVICES)),
                    _Watch(world.routes, world.mappings_to(knative.ROUTES)),
                    _Watch(world.k8s_services, world.mappings_to(kinds.SERVICES)),
                ),
            ),
            "gc": (
                self._gc,
                (_Watch(world.configurations), _Watch(world.revisions, to_configuration)),
            ),
        }
        return {name: self._controller(name, *wired) for name, wired in watches.items()}

    def _unless_quiet(self, controller: str) -> Callable[[Object], Iterator[Key]]:
        """Keys of revisions; one that is just waking up is looked at a little later."""
        to_revision = label_key(keys.REVISION)

        def to_keys(obj: Object) -> Iterator[Key]:
            for at in to_revision(obj):
                left = self._quiet_seconds(at)
                if left > 0:
                    self.controllers[controller].queue.add_after(at, left)
                else:
                    yield at

        return to_keys

    def _quiet_seconds(self, at: Key) -> float:
        until = self._quiet_until.get(at)
        if until is None:
            return 0.0
        left = until - asyncio.get_running_loop().time()
        if left <= 0 or self.world.ready_pods(at):
            del self._quiet_until[at]
            return 0.0
        return left

    def _controller(self, name: str, decide: Decide, watches: tuple[_Watch, ...]) -> Controller:
        controller = Controller(f"serving-{name}", self._carried_out(name, decide))
        for watch in watches:
            controller.watches(watch.cache, watch.to_keys)
        return controller

    def _carried_out(self, name: str, decide: Decide) -> Callable[[Key], Awaitable[float | None]]:
        async def reconcile(at: Key) -> float | None:
            try:
                return await self._apply(decide(at))
            except NotFound as error:
                raise Retryable(error.message) from error  # it went while we looked
            except (BadRequest, Forbidden, Invalid) as error:
                if _TERMINATING in error.message:
                    return None  # the namespace takes everything with it
                refused = self._refused(name, at, error)
                if refused is None:
                    raise
                return await self._apply(refused)

        return reconcile

    def _refused(self, name: str, at: Key, error: ApiError) -> Plan | None:
        """What to say where the server refused the child that everything hangs on."""
        if name == "configuration":
            found = self.world.configuration(at)
            return configuration.creation_failed(found, error.message, now=self._clock())
        if name == "revision":
            observed = self.world.revision(at)
            if observed.deployment is None:
                return revision.creation_failed(observed, error.message, now=self._clock())
        return None

    async def _apply(self, plan: Plan) -> float | None:
        record = partial(self._events.record, component=MANAGER)
        await apply_plan(self._client, plan, manager=MANAGER, record=record, seen=self._seen)
        return plan.requeue_after

    # -- deciding ------------------------------------------------------------------------------

    def _revision(self, at: Key) -> Plan:
        observed = self.world.revision(at)
        return revision.reconcile(observed, settings=self.settings, now=self._clock())

    def _route(self, at: Key) -> Plan:
        observed = self.world.route(at, self.settings)
        return route.reconcile(observed, settings=self.settings, now=self._clock())

    def _domainmapping(self, at: Key) -> Plan:
        observed = self.world.domainmapping(at)
        return domainmapping.reconcile(observed, settings=self.settings, now=self._clock())

    def _gc(self, at: Key) -> Plan:
        return gc.reconcile(self.world.gc(at), config=self.settings.gc, now=self._clock())

    def _podautoscaler(self, at: Key) -> Plan:
        observed = self.world.podautoscaler(at, self.engine.desired(at))
        if observed.podautoscaler is None:
            return Plan()
        scaler_class = class_of(observed.podautoscaler)
        now = self._clock()
        if scaler_class == keys.HPA_CLASS:
            scaler = hpa.Scaler(self.world.hpas.get(*at))
            return hpa.reconcile(observed, scaler, settings=self.settings, now=now)
        if scaler_class != keys.KPA_CLASS:
            return Plan()  # another controller's
        return podautoscaler.reconcile(observed, settings=self.settings, now=now)

    # -- autoscaling ---------------------------------------------------------------------------

    def _podautoscaler_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            if old is not None:
                self.engine.remove(key(old))
        elif class_of(new) == keys.KPA_CLASS:
            self.engine.put(key(new), decider_spec(new, self.settings.autoscaler), self._clock())

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new if new is not None else old
        assert pod is not None
        for at in label_key(keys.REVISION)(pod):
            self.engine.pods_changed(at, self._clock())

    def _decided(self, at: Key) -> None:
        self._podautoscalers.queue.add(at)

    def _wake_up(self, at: Key) -> None:
        """A request waits at zero: the Deployment is scaled before anything else is done.

        The status follows when a pod is ready, or soon, whichever comes first.
        """
        observed = self.world.podautoscaler(at, self.engine.desired(at))
        if observed.podautoscaler is None:
            return
        bounds = bounds_of(observed.podautoscaler, self.settings)
        scale = podautoscaler.wanted_scale(observed, bounds, now=self._clock())
        patch = podautoscaler.scale_patch(observed, scale)
        if patch is None or at in self._waking:
            self._podautoscalers.queue.add(at)
            return
        loop = asyncio.get_running_loop()
        self._quiet_until[at] = loop.time() + _QUIET_SECONDS
        task = loop.create_task(self._scale(at, patch), name="wake-up")
        self._waking[at] = task
        task.add_done_callback(lambda _: self._waking.pop(at, None))

    async def _scale(self, at: Key, patch: Patch) -> None:
        try:
            await self._apply(Plan((patch,)))
        except (ApiError, Retryable) as error:
            log.warning(
                "wake-up failed, trying again",
                extra={"knative.dev/key": "/".join(at), "error": str(error)},
            )
            self._podautoscalers.queue.retry(at)

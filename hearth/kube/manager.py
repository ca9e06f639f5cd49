"""One manager a process: watch caches shared by all controllers, their queues, and their life.

Wire everything first (``add``, ``add_controller``, ``on_change``, ``add_runnable``), then ``run``.
Caches may still be asked for while it runs: they start at once. See ``hearth.kube.controllerspec``
for how a controller declares itself. Cancelling ``run`` ends everything it started.

Of several processes with the same controllers each works on the keys it leads; the others' caches
are as warm as its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial

from hearth.kube.apply import apply_plan
from hearth.kube.cache import Change, WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.controller import Controller, Reconcile
from hearth.kube.controllerspec import (
    ControllerSpec,
    Index,
    Lister,
    Observed,
    Settings,
    Source,
    Watch,
    is_made_otherwise,
)
from hearth.kube.endings import Endings
from hearth.kube.events import EventRecorder
from hearth.kube.guards import caught, keep_running
from hearth.kube.leadership import ALONE, Leadership
from hearth.kube.meta import Key, Object, key, namespace, resource_version
from hearth.kube.plan import Patch, Plan, UpdateStatus, Write
from hearth.kube.reconciler import Reconciler
from hearth.kube.resources import Resource
from hearth.kube.turns import Turns

RESYNC_SECONDS = 36_000.0
"""How often everything is looked at though nothing has changed (knative.dev/pkg's period)."""


class Manager(Lister):
    """Owns caches and controllers; reads as a ``Lister``, writes by ``apply``."""

    def __init__(
        self,
        client: KubeClient,
        *,
        name: str,
        clock: Clock = wall_clock,
        resync_seconds: float = RESYNC_SECONDS,
        leadership: Leadership = ALONE,
    ) -> None:
        self.client = client
        self.name = name
        """The field manager of writes and the component of Events."""
        self.leadership = leadership
        """Which keys the controllers work on."""
        leadership.on_change(self.resync)
        self.events = EventRecorder(client)
        self._clock = clock
        self._resync_seconds = resync_seconds
        self._caches: dict[Source, WatchCache] = {}
        self._controllers: dict[str, tuple[Controller, Source | None, tuple[Watch, ...]]] = {}
        self._runnables: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._group: asyncio.TaskGroup | None = None
        self._turns = Turns()
        self._endings = Endings(time.monotonic)
        self._writer = ""
        """Whose write callbacks are being told of."""
        self._look_again: set[str] = set()
        """Controllers that go by the status that they have written."""

    # -- reading ---------------------------------------------------------------------------

    def get(self, source: Source, namespace: str, name: str) -> Object | None:
        """Return the object of that name; ``namespace`` is "" for cluster-scoped ones."""
        return self._caches[source].get(namespace, name)

    def list(self, source: Source, namespace: str | None = None) -> Sequence[Object]:
        """Return all objects, or those of one namespace."""
        return self._caches[source].list(namespace)

    def by_index(self, index: Index, value: str) -> Sequence[Object]:
        """Return the objects for which the index's function gives this value."""
        return self._caches[index.source].by_index(index, value)

    def count(self, index: Index, value: str) -> int:
        """Return how many objects ``by_index`` would; none of them is unfolded for it."""
        return self._caches[index.source].count(index, value)

    @property
    def backlog(self) -> int:
        """How many keys wait to be worked on, over all controllers."""
        return sum(len(controller.queue) for controller, *_ in self._controllers.values())

    # -- wiring ----------------------------------------------------------------------------

    def cache(self, source: Source) -> WatchCache:
        """Return the cache of a source; the first call makes it, and starts it when running."""
        cache = self._caches.get(source)
        if cache is None:
            cache = self._caches[source] = WatchCache(
                self.client,
                source.resource,
                namespace=source.namespace,
                label_selector=source.label_selector,
                field_selector=source.field_selector,
                unread=source.unread,
            )
            self._start_cache(cache)
        return cache

    def add_index(self, index: Index) -> None:
        """Make ``by_index`` answer for an index."""
        cache = self.cache(index.source)
        if not cache.has_index(index):
            cache.add_index(index, index.function)

    def on_change(self, source: Source, callback: Change) -> None:
        """Call back for every change of a source, and for what is there already."""
        self.cache(source).on_change(callback)

    def add(
        self, spec: ControllerSpec[Observed, Settings], settings: Callable[[], Settings]
    ) -> Controller:
        """Add a declared controller."""
        reconciler = Reconciler(
            spec,
            self,
            settings=settings,
            apply=partial(self.apply, writer=spec.name),
            clock=self._clock,
            endings=self._endings,
            manager=self.name,
        )
        for source in spec.reads:
            self.cache(source)
        return self.add_controller(
            spec.name,
            reconciler,
            source=spec.source,
            when=spec.when,
            settles=spec.settles,
            watches=spec.watches,
            indexes=spec.indexes,
            workers=spec.workers,
        )

    def add_controller(
        self,
        name: str,
        reconcile: Reconcile,
        *,
        source: Source | None = None,
        when: Callable[[Object, Object], bool] | None = None,
        settles: bool = False,
        watches: Iterable[Watch] = (),
        indexes: Iterable[Index] = (),
        workers: int = 4,
    ) -> Controller:
        """Add a controller whose work is more than a plan; its keys are those of ``source``."""
        controller = Controller(name, reconcile, workers=workers, leadership=self.leadership)
        self._controllers[name] = controller, source, tuple(watches)
        if not settles:
            self._look_again.add(name)
        for index in indexes:
            self.add_index(index)
        if source is not None:
            self._follow(controller, Watch(source, when=when), settles=settles)
        for watch in self._controllers[name][2]:
            self._follow(controller, watch)
        return controller

    def _follow(self, controller: Controller, watch: Watch, *, settles: bool = False) -> None:
        cache = self.cache(watch.source)
        cache.on_change(partial(self._enqueue, controller, watch, cache, settles))

    def _enqueue(
        self,
        controller: Controller,
        watch: Watch,
        cache: WatchCache,
        settles: bool,
        old: Object | None,
        new: Object | None,
    ) -> None:
        if old is None and new is not None:
            self._endings.appeared(namespace(new))
        if not watch.concerns(old, new):
            return
        if self._writer == controller.name and (
            watch.is_own or (settles and _is_status_alone(old, new))
        ):
            return
        late = not cache.is_synced  # what is there at the start has not changed
        is_foretold = old is not None and new is not None and _is_one_version(old, new)
        for obj in (old, new):
            if obj is not None:
                for each in watch.keys(self, obj):
                    if is_foretold and controller.is_at(each):
                        continue  # it knows what it foretells, and a failure has its back-off
                    hold = watch.hold(each) if watch.hold else 0.0
                    if hold > 0:
                        controller.queue.add_after(each, hold)
                    else:
                        controller.queue.add(each, late=late)

    def add_runnable(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run something beside the controllers, from when the caches are complete."""
        self._runnables.append((name, run))

    # -- writing and waking ----------------------------------------------------------------

    async def apply(self, plan: Plan, field_manager: str = "", *, writer: str = "") -> None:
        """Carry a plan out; what the server answers is in the caches afterwards.

        ``writer`` is the controller whose plan it is.
        """
        manager = field_manager or self.name
        await apply_plan(
            self.client,
            plan,
            manager=manager,
            record=partial(self.events.record, component=manager),
            seen=partial(self._seen, writer),
            around=partial(self._around, writer),
        )

    def _caches_of(self, resource: Resource) -> Iterable[WatchCache]:
        return [cache for cache in self._caches.values() if cache.resource == resource]

    @contextmanager
    def _writing(self, writer: str) -> Iterator[None]:
        """Callbacks that are called within are told of what this controller has written."""
        self._writer = writer
        try:
            yield
        finally:
            self._writer = ""

    def _seen(self, writer: str, resource: Resource, obj: Object) -> None:
        with self._writing(writer):
            for cache in self._caches_of(resource):
                cache.put(obj)

    @asynccontextmanager
    async def _around(self, writer: str, write: Write) -> AsyncIterator[None]:
        """Show what is foretold; keep patches in order, which no version of the object does."""
        async with AsyncExitStack() as around:
            if isinstance(write, UpdateStatus) and write.is_foretold:
                with self._writing(writer):
                    for cache in self._caches_of(write.resource):
                        around.enter_context(cache.expecting(write.obj))
            elif isinstance(write, Patch):
                whose = write.resource, write.namespace, write.name
                await around.enter_async_context(self._turns.of(whose))
            yield
        if writer in self._look_again and isinstance(write, UpdateStatus) and write.is_foretold:
            self.enqueue(writer, key(write.obj))

    def enqueue(self, controller: str, item: Key) -> None:
        """Have a controller look at a key."""
        self._controllers[controller][0].queue.add(item)

    def resync(self) -> None:
        """Look at all objects anew that are led here, after settings or leadership changed."""
        for controller, source, watches in self._controllers.values():
            if source is not None:
                keys = {*map(key, self.list(source)), *self._left_behind(watches)}
                for item in filter(self.leadership.leads, sorted(keys)):
                    controller.queue.add(item, late=True)

    def _left_behind(self, watches: Iterable[Watch]) -> Iterator[Key]:
        """Find whom the watched objects concern: who is gone may have left something to be done."""
        for watch in watches:
            for obj in self.list(watch.source):
                try:
                    yield from watch.keys(self, obj)
                except Exception:
                    caught("callback", key(obj))

    def spawn(self, name: str, work: Awaitable[None]) -> asyncio.Task[None]:
        """Start a task that ends with the manager; what it raises is logged and counted."""
        if self._group is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._group.create_task(_guarded(name, work), name=name)

    # -- life ------------------------------------------------------------------------------

    async def run(self, synced: Callable[[], None] = lambda: None) -> None:
        """Work until cancelled; ``synced`` is called once every cache is complete."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for cache in self._caches.values():
                    self._start_cache(cache)
                group.create_task(keep_running("events", self.events.run), name="events")
                await self.synced()
                for controller, *_ in self._controllers.values():
                    group.create_task(controller.run(), name=controller.name)
                background = (("resync", self._resync), ("leadership", self.leadership.run))
                for name, run in (*background, *self._runnables):
                    group.create_task(keep_running(name, run), name=name)
                synced()
        finally:
            self._group = None
            await self.leadership.release()

    async def synced(self) -> None:
        """Wait until every cache has had its first complete list."""
        await asyncio.gather(*(cache.synced() for cache in self._caches.values()))

    def _start_cache(self, cache: WatchCache) -> None:
        if self._group is not None:
            work = cache.run()
            try:
                self._group.create_task(work, name=f"watch-{cache.resource.plural}")
            except RuntimeError:  # the group is ending: nobody is left to be told
                work.close()

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._resync_seconds)
            self.resync()


def _is_status_alone(old: Object | None, new: Object | None) -> bool:
    return old is not None and new is not None and not is_made_otherwise(old, new)


def _is_one_version(old: Object, new: Object) -> bool:
    """Whether a write was foretold, or failed after that: the server has no other version."""
    return resource_version(old) == resource_version(new)


async def _guarded(name: str, work: Awaitable[None]) -> None:
    try:
        await work
    except Exception:
        caught(name)

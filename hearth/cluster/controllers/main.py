"""Runs the cluster controllers: watch caches, queues, and the plans carried out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.controllers import deployment, endpointslice, job, replicaset
from hearth.cluster.controllers.pacing import STATUS_DELAY_SECONDS, split
from hearth.kube import meta
from hearth.kube.cache import WatchCache, put_into
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.controller import Controller
from hearth.kube.errors import ApiError, BadRequest, Forbidden, Invalid
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Event, Plan, apply_plan, record_event
from hearth.kube.resources import DEPLOYMENTS, ENDPOINTSLICES, JOBS, PODS, REPLICASETS, SERVICES

Ready = Callable[[], None]
log = logging.getLogger(__name__)

_EVENT_DELAY_SECONDS = 0.1
_MOST_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class ControllersConfig:
    kubeconfig: Path


def _by_controller(obj: Object) -> list[str]:
    owner = meta.controller_of(obj)
    return [owner["uid"]] if owner else []


def _by_namespace(obj: Object) -> list[str]:
    return [meta.namespace(obj)]


def _by_selector(service: Object) -> list[str]:
    """One clause of the selector finds the candidates among many Services."""
    selector = service["spec"].get("selector") or {}
    return [_clause(meta.namespace(service), *min(selector.items()))] if selector else []


def _clause(space: str, label: str, value: str) -> str:
    return f"{space}/{label}={value}"


def _by_service(obj: Object) -> list[str]:
    name = meta.labels(obj).get(endpointslice.SERVICE_NAME)
    ours = meta.labels(obj).get(endpointslice.MANAGED_BY) == endpointslice.MANAGER
    return [f"{meta.namespace(obj)}/{name}"] if name and ours else []


class _Caches:
    """One watch cache for each resource the controllers look at."""

    def __init__(self, client: KubeClient) -> None:
        self.pods = WatchCache(client, PODS)
        self.services = WatchCache(client, SERVICES)
        self.slices = WatchCache(client, ENDPOINTSLICES)
        self.deployments = WatchCache(client, DEPLOYMENTS)
        self.replica_sets = WatchCache(client, REPLICASETS)
        self.jobs = WatchCache(client, JOBS)
        for cache in (self.pods, self.replica_sets):
            cache.add_index("controller", _by_controller)
        self.pods.add_index("namespace", _by_namespace)
        self.services.add_index("selector", _by_selector)
        self.slices.add_index("service", _by_service)

    def all(self) -> Sequence[WatchCache]:
        return (
            self.pods,
            self.services,
            self.slices,
            self.deployments,
            self.replica_sets,
            self.jobs,
        )


class _Controllers:
    """Observes from the caches, decides by the pure modules, writes through apply_plan."""

    def __init__(self, client: KubeClient, caches: _Caches) -> None:
        self._client = client
        self._caches = caches
        self._seen = put_into(caches.all())
        self._due: dict[str, float] = {}
        self._events: asyncio.Queue[tuple[Event, str]] = asyncio.Queue(_MOST_EVENTS)

    def make(self) -> list[Controller]:
        caches = self._caches
        deployments = Controller("deployment", self._deployment)
        deployments.watches(caches.deployments)
        deployments.watches(caches.replica_sets, _owners("Deployment"))
        replica_sets = Controller("replicaset", self._replica_set)
        replica_sets.watches(caches.replica_sets)
        replica_sets.watches(caches.pods, _owners("ReplicaSet"))
        jobs = Controller("job", self._job)
        jobs.watches(caches.jobs)
        jobs.watches(caches.pods, _owners("Job"))
        slices = Controller("endpointslice", self._endpoint_slices)
        slices.watches(caches.services)
        slices.watches(caches.pods, self._services_of)
        slices.watches(caches.slices, _services_of_slice)
        return [deployments, replica_sets, jobs, slices]

    async def _apply(self, plan: Plan, manager: str) -> float | None:
        return await apply_plan(self._client, plan, manager=manager, seen=self._seen)

    async def _apply_paced(self, obj: Object, plan: Plan, manager: str) -> float | None:
        """Statuses without news wait a moment, once; Events wait behind everything else."""
        waited = self._due.pop(meta.uid(obj), None)
        now = asyncio.get_running_loop().time()
        is_due = waited is not None and now >= waited
        paced = split(plan, None if is_due else obj.get("status") or {})
        for event in paced.events:
            # Past the limit a flood of Events is worth less than the memory it takes.
            with contextlib.suppress(asyncio.QueueFull):
                self._events.put_nowait((event, manager))
        if paced.postponed:
            self._due[meta.uid(obj)] = now + STATUS_DELAY_SECONDS if waited is None else waited
        return await self._apply(paced.now, manager)

    async def record_events(self) -> None:
        """Writes what Events have gathered, after a pause in which pods come first."""
        while True:
            gathered = [await self._events.get()]
            await asyncio.sleep(_EVENT_DELAY_SECONDS)
            while not self._events.empty():
                gathered.append(self._events.get_nowait())
            for event, manager in gathered:
                try:
                    await record_event(self._client, event, component=manager)
                except ApiError as error:
                    log.warning("event not recorded", extra={"error": error.message})

    async def _deployment(self, key: Key) -> float | None:
        found = self._caches.deployments.get(*key)
        if found is None:
            return None
        owned = self._caches.replica_sets.by_index("controller", meta.uid(found))
        plan = deployment.reconcile(deployment.Observed(found, owned), now=wall_clock())
        return await self._apply_paced(found, plan, "deployment-controller")

    async def _replica_set(self, key: Key) -> float | None:
        found = self._caches.replica_sets.get(*key)
        if found is None:
            return None
        owned = self._caches.pods.by_index("controller", meta.uid(found))
        plan = replicaset.reconcile(replicaset.Observed(found, owned), now=wall_clock())
        try:
            return await self._apply_paced(found, plan, "replicaset-controller")
        except (BadRequest, Forbidden, Invalid) as error:
            await self._tell_failed_create(found, error.message)
            raise

    async def _tell_failed_create(self, replica_set: Object, message: str) -> None:
        patch = replicaset.failed_create(replica_set, message, now=wall_clock())
        if patch is None:
            return
        space, name = meta.key(replica_set)
        await self._client.patch(REPLICASETS, name, space, patch, subresource="status")
        event = Event(replica_set, "Warning", "FailedCreate", f"Error creating: {message}")
        with contextlib.suppress(asyncio.QueueFull):
            self._events.put_nowait((event, "replicaset-controller"))

    async def _job(self, key: Key) -> float | None:
        found = self._caches.jobs.get(*key)
        if found is None:
            return None
        owned = self._caches.pods.by_index("controller", meta.uid(found))
        plan = job.reconcile(job.Observed(found, owned), now=wall_clock())
        return await self._apply(plan, "job-controller")

    async def _endpoint_slices(self, key: Key) -> float | None:
        service = self._caches.services.get(*key)
        if service is None:
            return None
        selector = service["spec"].get("selector")
        matched = [
            pod
            for pod in self._caches.pods.by_index("namespace", key[0])
            if selector and selector.items() <= meta.labels(pod).items()
        ]
        slices = self._caches.slices.by_index("service", "/".join(key))
        plan = endpointslice.reconcile(endpointslice.Observed(service, matched, slices))
        return await self._apply(plan, "endpointslice-controller")

    def _services_of(self, pod: Object) -> Iterable[Key]:
        labels = meta.labels(pod).items()
        for label, value in labels:
            clause = _clause(meta.namespace(pod), label, value)
            for service in self._caches.services.by_index("selector", clause):
                if service["spec"]["selector"].items() <= labels:
                    yield meta.key(service)


def _services_of_slice(found: Object) -> Iterable[Key]:
    return [(space, name) for space, name in (text.split("/") for text in _by_service(found))]


def _owners(kind: str) -> Callable[[Object], Iterable[Key]]:
    def owners(obj: Object) -> Iterable[Key]:
        owner = meta.controller_of(obj)
        return [(meta.namespace(obj), owner["name"])] if owner and owner["kind"] == kind else []

    return owners


async def run(config: ControllersConfig, ready: Ready) -> None:
    """Runs until cancelled; calls ``ready`` once every cache holds its first list."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            KubeClient.from_kubeconfig(config.kubeconfig, user_agent="kube-controller-manager")
        )
        caches = _Caches(client)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for cache in caches.all():
            group.create_task(cache.run(), name=f"cache-{cache.resource.plural}")
        for cache in caches.all():
            await cache.synced()
        controllers = _Controllers(client, caches)
        group.create_task(controllers.record_events(), name="events")
        for controller in controllers.make():
            group.create_task(controller.run(), name=f"controller-{controller.name}")
        ready()

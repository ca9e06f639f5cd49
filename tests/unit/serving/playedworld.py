"""Serving's whole control plane over an API in memory, in time that passes by itself, with faults.

Nodes, gateway, activators and users are played; the controllers, the autoscaler, their caches and
queues are the real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from activator.ingress_status import LoadBalancers, routed_status
from hearth.knative import resources as knative
from hearth.knative.admission import decisions
from hearth.knative.leaderelection import LeaderElectionConfig
from hearth.knative.views import KIngress
from hearth.kube.admission import CREATE, UPDATE, AdmissionRequest
from hearth.kube.leadership import ALONE, Elected
from hearth.kube.meta import Object, name, namespace
from hearth.kube.resources import Resource
from hearth.observability.histogram import BOUNDS
from serving.api import keys
from serving.api.settings import Settings
from serving.api.stats import Frame, Stat
from serving.controlplane import ControlPlane
from serving.kinds.certificate.local import Authority
from serving.webhook.admission import ADMISSION
from tests.memoryapi import MemoryApi, fault
from tests.memoryclient import MemoryClient
from tests.unit.serving.playedfaults import NEVER, Faults, FrailClient
from tests.unit.serving.playednodes import Nodes
from tests.virtualtime import VirtualLoop

MOMENT = 1_795_192_800.0
SPACE = "default"
USER, PLAYED = "user", "played"
BAD = "bad"
"""An image that answers with errors."""
ELECTION = LeaderElectionConfig.from_data(
    {"lease-duration": "10s", "renew-deadline": "8s", "retry-period": "2s", "buckets": "3"}
)
_ADMITTED = ADMISSION.by_kind()
_FAILED = len(BOUNDS) + 1
"""The bucket of failures."""


class _Loop(VirtualLoop):
    """Time goes on by more than the clock can tell, so that who is asked again sees it."""

    def go_on(self, timeout: float) -> None:
        super().go_on(timeout + 1e-6)


class World:
    """An API, who plays around it, and control planes over it."""

    def __init__(
        self, loop: VirtualLoop, faults: Faults, settings: Settings, authority: Authority | None
    ) -> None:
        self.loop = loop
        self.faults = faults
        self.api = MemoryApi(self.clock, self._admit)
        self.nodes = Nodes(self.api, self._soon, self.clock)
        self.load: dict[str, int] = {}
        """Requests under way at each Service."""
        self._settings = settings
        self._authority = authority
        self._planes: list[ControlPlane] = []
        self._clients: dict[int, FrailClient] = {}
        self._names = itertools.count()
        self._due: set[tuple[Any, ...]] = set()
        self.api.looks.append(self._changed)

    def clock(self) -> float:
        return MOMENT + self.loop.time()

    def mend(self) -> None:
        """From now on everything goes well."""
        self.faults.are_over = True
        self.nodes.mend()

    async def quiet(self, seconds: float, most: float) -> bool:
        """Wait until so long nothing was written, at most for so long; whether that came."""
        until = self.loop.time() + most
        while self.loop.time() < until:
            before = len(self.api.writes)
            await asyncio.sleep(seconds)
            if len(self.api.writes) == before:
                return True
        return False

    # -- the server's admission, the gateway, who takes along what is owned -------------------

    def _admit(self, resource: Resource, obj: Object, old: Object | None, user: str) -> Object:
        if user != USER or (resource.group, resource.version, resource.kind) not in _ADMITTED:
            return obj  # in a cluster nobody is asked about what the control plane writes
        answer = decisions.default(_ADMITTED, _review(resource, obj, old), self._settings)
        if answer.allowed and answer.changed is not None:
            request = _review(resource, answer.changed, old)
            judged, _ = decisions.validate(_ADMITTED, request, self._settings)
            if judged.allowed:
                return answer.changed
            answer = judged
        raise fault(400, "BadRequest", answer.message)

    def _changed(self, resource: Resource, old: Object | None, new: Object | None) -> None:
        if resource == knative.KINGRESSES and new is not None:
            self._soon(self._serve, name(new))
        if new is None or old is None:
            self._soon(self.api.collect)

    def _soon(self, work: Callable[..., None], *about: str, seconds: float | None = None) -> None:
        """Once, a little later, whatever has happened by then."""
        if (work, *about, seconds is None) not in self._due:
            self._due.add((work, *about, seconds is None))
            delay = 0.1 + self.faults.seconds(2.0) if seconds is None else seconds
            self.loop.call_later(delay, self._work, work, about, seconds is None)

    def _work(self, work: Callable[..., None], about: tuple[str, ...], is_soon: bool) -> None:
        self._due.discard((work, *about, is_soon))
        work(*about)

    def _serve(self, title: str) -> None:
        ingress = self.api.get(knative.KINGRESSES, SPACE, title)
        if ingress is not None:
            status = routed_status(ingress, LoadBalancers("a", "b"), now=self.clock())
            told = {**ingress, "status": status}
            self.api.update(knative.KINGRESSES, told, PLAYED, "status")

    # -- activators ------------------------------------------------------------------------

    def _stats(self) -> Iterator[Stat]:
        for service, load in self.load.items():
            ingress = self.api.get(knative.KINGRESSES, SPACE, service)
            for revision, percent in shares(ingress).items() if load else ():
                ready = self.nodes.ready(f"{revision}-deployment", SPACE)
                count = load * percent / 100
                answered = {3 + self._failing(revision): round(20 * count)} if ready else {}
                yield Stat(SPACE, revision, count, 20 * count, int(not ready), {}, answered)

    def _failing(self, revision: str) -> int:
        spec = (self.api.get(knative.REVISIONS, SPACE, revision) or {}).get("spec") or {}
        return _FAILED * any(each["image"] == BAD for each in spec.get("containers") or ())

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            stats, now = tuple(self._stats()), self.clock()
            waiting = tuple(each for each in stats if each.queued)
            for plane in self._planes if stats else ():
                plane.multiscaler.receive("activator", Frame(now, stats), now)
                plane.multiscaler.receive("activator", Frame(now, waiting, is_poke=True), now)

    # -- control planes --------------------------------------------------------------------

    def begin_anew(self) -> None:
        """End all control planes; others begin."""
        for client in self._clients.values():
            client.died.set()

    async def _live(self, number: int) -> None:
        """One control plane after the other."""
        for life in itertools.chain(self.faults.lives, itertools.repeat((10**9, NEVER))):
            client = FrailClient(self.api, f"plane-{number}", self.faults, life)
            self._clients[number] = client
            plane = ControlPlane(
                client,
                settings=self._settings,
                clock=self.clock,
                leadership=self._stand(client) if self.faults.planes > 1 else ALONE,
                authority=self._authority,
            )
            self._planes.append(plane)
            task = asyncio.create_task(plane.run(lambda: None))
            try:
                await client.died.wait()
                assert not task.done()
            finally:
                self._planes.remove(plane)
                await ended(task)
            await asyncio.sleep(self.faults.seconds(5.0))

    def _stand(self, client: MemoryClient) -> Elected:
        return Elected(
            client,
            namespace=SPACE,
            buckets=ELECTION.leases(keys.CONTROL_COMPONENT),
            identity=f"plane-{next(self._names)}",
            timing=ELECTION.timing,
            clock=self.loop.time,
            wall=self.clock,
            roll=self.faults.chance.random,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        works = [self._report(), *(self._live(n) for n in range(self.faults.planes))]
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield
            assert not any(task.done() for task in tasks)
        finally:
            await ended(*tasks)


def _review(resource: Resource, obj: Object, old: Object | None) -> AdmissionRequest:
    return AdmissionRequest(
        "u",
        resource.group,
        resource.version,
        resource.kind,
        resource.plural,
        UPDATE if old else CREATE,
        name(obj),
        namespace(obj),
        username=USER,
        object=obj,
        old_object=old,
    )


def shares(ingress: Object | None) -> dict[str, int]:
    """Return what revisions get of the first host's requests, in percent."""
    rules = KIngress(ingress).spec.get("rules") if ingress is not None else None
    splits = rules[0]["http"]["paths"][-1]["splits"] if rules else ()
    return {each["serviceName"]: each["percent"] for each in splits}


async def ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


def run(
    work: Callable[[World], Awaitable[None]],
    faults: Faults,
    settings: Settings,
    authority: Authority | None = None,
) -> World:
    """Have something happen in a new world; returns it as it is then."""
    loop = _Loop()
    loop.until = float("inf")
    world = World(loop, faults, settings, authority)

    async def whole() -> None:
        async with world.running():
            await work(world)

    try:
        loop.run_until_complete(whole())
    finally:
        loop.close()
    return world

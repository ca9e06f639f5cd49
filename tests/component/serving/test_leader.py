"""Two control planes: one decides, and when it is killed the other does once its lease is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from activator.backends import Backend, BackendContext
from activator.reporter import Reporter
from activator.routes import BackendRef
from activator.targets import TargetSpec
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.controllers.main import ControllersConfig
from hearth.cluster.controllers.main import run as run_controllers
from hearth.knative import resources as knative
from hearth.knative.autoscalers import ElectedAutoscalers
from hearth.knative.leaderelection import Candidacy, LeaderElectionConfig
from hearth.kube import resources as kinds
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.leadership import Elected
from hearth.kube.tokens import Tokens
from serving.api import keys
from serving.api.settings import Settings
from serving.autoscaler.server import StatsServer
from serving.controlplane import ControlPlane
from serving.install import install
from tests.component.serving.test_autoscaling import (
    DEPLOYMENT,
    NAMESPACE,
    REVISION,
    a_service,
    eventually,
)

CONFIG = LeaderElectionConfig.from_data(
    {"lease-duration": "2s", "renew-deadline": "1500ms", "retry-period": "300ms"}
)


class Killed(Elected):
    """One that ends without a word, as a killed process does."""

    async def release(self) -> None:
        """Nothing is written."""


@dataclass
class Replica:
    """A control plane with its statistics listener."""

    plane: ControlPlane
    stats: StatsServer
    leadership: Killed
    task: asyncio.Task[None]

    @property
    def leads(self) -> bool:
        return self.leadership.leads((NAMESPACE, REVISION))

    async def kill(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.stats.close()


async def a_replica(client: KubeClient, name: str) -> Replica:
    port = 0
    stats: StatsServer | None = None
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    leadership = Killed(
        client,
        namespace=keys.SERVING_NAMESPACE,
        buckets=CONFIG.leases(keys.CONTROL_COMPONENT),
        identity=Candidacy(name, "127.0.0.1").identity(port),
        timing=CONFIG.timing,
    )
    plane = ControlPlane(client, settings=Settings(), leadership=leadership)
    stats = StatsServer(plane.multiscaler, tokens=Tokens("secret"))
    await stats.start("127.0.0.1", port)
    return Replica(plane, stats, leadership, asyncio.create_task(plane.run(lambda: None)))


@dataclass
class Activator:
    """A reporter with one backend, whose requests wait."""

    reporter: Reporter
    backend: Backend
    waiting: list[object] = field(default_factory=list)

    def wait(self, requests: int) -> None:
        now = time.monotonic()
        for _ in range(requests):
            self.backend.stats.enter(now)
            self.backend.throttler.enqueue(self, 1, 0.0)  # type: ignore[arg-type]
        self.reporter.wake(self.backend)


@asynccontextmanager
async def an_activator(client: KubeClient, name: str) -> AsyncIterator[Activator]:
    autoscalers = ElectedAutoscalers(CONFIG.leases(keys.CONTROL_COMPONENT))
    leases = WatchCache(client, kinds.LEASES, namespace=keys.SERVING_NAMESPACE)
    leases.on_change(autoscalers.lease_changed)
    reporter = Reporter(autoscalers, tokens=Tokens("secret"), name=name, clock=time.monotonic)
    ref = BackendRef(NAMESPACE, REVISION, 80, REVISION)
    backend = Backend(ref, BackendContext(time.monotonic, lambda: 0.5))
    backend.configure(TargetSpec(NAMESPACE, REVISION))
    tasks = [
        asyncio.create_task(leases.run()),
        asyncio.create_task(reporter.run(lambda: [backend])),
    ]
    try:
        yield Activator(reporter, backend)
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[KubeClient]:
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await install(client)
        task = asyncio.create_task(
            run_controllers(ControllersConfig(server.kubeconfig), lambda: None)
        )
        yield client
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def make_ready(client: KubeClient) -> int:
    """Plays the node: every pod runs and is ready."""
    pods, _ = await client.list(kinds.PODS, NAMESPACE)
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-20T16:40:00Z"}
    for pod in pods:
        played = {"phase": "Running", "podIP": "127.0.0.1", "conditions": [ready]}
        status = {**pod["status"], **played}
        await client.update_status(kinds.PODS, {**pod, "status": status})
    return len(pods)


async def replicas(client: KubeClient) -> int:
    return int((await client.get(kinds.DEPLOYMENTS, DEPLOYMENT, NAMESPACE))["spec"]["replicas"])


async def test_a_killed_leader_is_followed_within_its_lease_time_and_activators_move(
    client: KubeClient,
) -> None:
    one, two = await a_replica(client, "control-a"), await a_replica(client, "control-b")
    async with an_activator(client, "activator-1") as first, an_activator(client, "b") as second:
        try:
            await _decide_and_go_on(client, [one, two], [first, second])
        finally:
            await one.kill()
            await two.kill()


async def _decide_and_go_on(
    client: KubeClient, planes: list[Replica], activators: list[Activator]
) -> None:
    first, second = activators
    await client.create(knative.KSERVICES, a_service(**{"autoscaling.knative.dev/target": "10"}))
    await eventually(lambda: make_ready(client), 1)
    for activator in activators:
        await eventually(partial(_is_reachable, activator), True)
    # What two activators have waiting is added up: 20 and 15 requests at 7 to a pod.
    first.wait(20)
    second.wait(15)
    await eventually(lambda: replicas(client), 5)
    leader = next(replica for replica in planes if replica.leads)
    follower = next(replica for replica in planes if not replica.leads)
    assert follower.plane.multiscaler.deciders == {}
    await eventually(lambda: _backlog(follower), 0)
    await leader.kill()
    killed_at = time.monotonic()
    seen: set[int] = set()

    async def scale() -> int:
        seen.add(await replicas(client))
        return max(seen)

    first.wait(35)
    await eventually(scale, 10)
    # Its lease of two seconds counts, not the usual one of a minute.
    assert time.monotonic() - killed_at < 10 * CONFIG.timing.lease_duration
    # Nobody scales down for not knowing what the other activator has.
    assert min(seen) == 5
    assert follower.leads


async def _backlog(replica: Replica) -> int:
    return replica.plane.manager.backlog


async def _is_reachable(activator: Activator) -> bool:
    return activator.reporter.is_reachable

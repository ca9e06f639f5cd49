"""A rollout whose control plane is killed between any two of its writes, doubled, or left waiting.

A Service is made and changed. However often the control plane dies on the way, the world ends as if
it had not: the same objects with the same content, none twice. What dies with a write on its way
may have been heard by the server or not; both are tried. Nodes and gateway are played.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from activator.ingress_status import LoadBalancers, routed_status
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.controllers.main import ControllersConfig
from hearth.cluster.controllers.main import run as run_controllers
from hearth.knative import resources as knative
from hearth.kube import resources as kinds
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.conditions import Conditions
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object, generation, is_deleting
from hearth.kube.resources import Resource
from serving.controlplane import ControlPlane
from serving.install import install
from tests.ports import free_port

PATIENCE = 60.0
LOOKS = 8
"""So many in a row find the same where the end is reached."""
SPACE = "default"
SHOWN = (
    knative.CONFIGURATIONS,
    knative.REVISIONS,
    knative.ROUTES,
    knative.PODAUTOSCALERS,
    knative.KINGRESSES,
    kinds.DEPLOYMENTS,
    kinds.SERVICES,
)
_PASSING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # uids
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"  # times
    r"|10\.\d+\.\d+\.\d+"  # cluster IPs
)
_OURS = re.compile(r"deployment-hash")  # a hash over uids


class Mortal(KubeClient):
    """A client whose process dies with one of its writes: heard by the server, or not."""

    in_vain: ClassVar[set[str]] = set()
    """What any of them has asked for that was not there."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.writes = 10**9
        self.is_heard = True
        self.died = asyncio.Event()

    async def request(self, method: str, path: str, **options: Any) -> Object:
        """Carry out what comes before the end; what comes with it is never answered."""
        if method == "GET":
            try:
                return await super().request(method, path, **options)
            except NotFound:
                self.in_vain.add(path)
                raise
        if path.endswith("/events"):
            return await super().request(method, path, **options)
        self.writes -= 1
        if self.writes > 0 and not self.died.is_set():
            return await super().request(method, path, **options)
        if self.is_heard and not self.died.is_set():
            with contextlib.suppress(ApiError):
                await super().request(method, path, **options)
        self.died.set()
        return await asyncio.Future()


@dataclass(slots=True)
class World:
    client: KubeClient
    kubeconfig: Path
    restart: Callable[[], Awaitable[None]]
    """Ends the API server and starts it again, where it was."""

    async def seen(self) -> dict[str, Any]:
        """Everything that serving has made, without what is another at each run."""
        shown: dict[str, Any] = {}
        for resource in SHOWN:
            for obj in (await self.client.list(resource, SPACE))[0]:
                if obj["metadata"]["name"] != "kubernetes":
                    shown[f"{resource.kind} {obj['metadata']['name']}"] = _lasting(obj)
        return shown

    async def change(self, text: str) -> None:
        container = {"name": "user", "image": "app", "env": [{"name": "TEXT", "value": text}]}
        traffic = [{"latestRevision": True, "percent": 100}]
        spec = {"template": {"spec": {"containers": [container]}}, "traffic": traffic}
        head = {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}
        service = {**head, "metadata": {"name": "hello", "namespace": SPACE}, "spec": spec}
        await self.client.apply(knative.KSERVICES, service, field_manager="user")

    async def is_ready(self, revision: str) -> bool:
        try:
            service = await self.client.get(knative.KSERVICES, "hello", SPACE)
        except ApiError:
            return False
        status = service.get("status") or {}
        is_told = status.get("observedGeneration") == generation(service)
        is_latest = status.get("latestReadyRevisionName") == revision
        return is_told and is_latest and Conditions.of(service).is_true("Ready")


def _lasting(obj: Object) -> Any:
    metadata = obj["metadata"]
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if not _OURS.search(k)}
    owners = [(o["kind"], o["name"]) for o in metadata.get("ownerReferences") or ()]
    status = obj.get("status") or {}
    conditions = sorted((c["type"], c["status"]) for c in status.get("conditions") or ())
    told = [labels, metadata.get("annotations"), owners, obj.get("spec"), conditions]
    return json.loads(_PASSING.sub("-", json.dumps(told)))


@contextlib.asynccontextmanager
async def a_world(folder: Path, *, installs: bool = True) -> AsyncIterator[World]:
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(contextlib.AsyncExitStack())]
        server = await servers[0].enter_async_context(running_apiserver(folder, port=port))

        async def restart() -> None:
            await servers.pop().aclose()
            servers.append(await stack.enter_async_context(contextlib.AsyncExitStack()))
            await servers[0].enter_async_context(running_apiserver(folder, port=port))

        client = KubeClient.from_kubeconfig(server.kubeconfig)
        await stack.enter_async_context(client)
        if installs:
            await install(client)
        tasks = [
            asyncio.create_task(run_controllers(ControllersConfig(server.kubeconfig), _nothing)),
            asyncio.create_task(_play(client)),
        ]
        try:
            yield World(client, server.kubeconfig, restart)
            assert not any(task.done() for task in tasks)
        finally:
            await _end(*tasks)


def _nothing() -> None:
    return None


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _play(client: KubeClient) -> None:
    """Nodes, on which pods are ready at once, and a gateway, which takes every KIngress."""
    while True:
        with contextlib.suppress(ApiError):  # the server is being restarted
            await _play_once(client)
        await asyncio.sleep(0.02)


async def _play_once(client: KubeClient) -> None:
    for pod in (await client.list(kinds.PODS, SPACE))[0]:
        if not is_deleting(pod) and not Conditions.of(pod).is_true("Ready"):
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": _moment(pod)}
            played = {"phase": "Running", "podIP": "127.0.0.1", "conditions": [ready]}
            status = {**(pod.get("status") or {}), **played}
            await _tell(client, kinds.PODS, pod, status)
    for ingress in (await client.list(knative.KINGRESSES, SPACE))[0]:
        status = routed_status(ingress, LoadBalancers("a", "b"), now=wall_clock())
        if (ingress.get("status") or {}).get("observedGeneration") != generation(ingress):
            await _tell(client, knative.KINGRESSES, ingress, status)


def _moment(pod: Object) -> str:
    return str(pod["metadata"]["creationTimestamp"])


async def _tell(client: KubeClient, resource: Resource, obj: Object, status: Object) -> None:
    with contextlib.suppress(ApiError):
        await client.update_status(resource, {**obj, "status": status})


Life = tuple[int, bool]
"""Writes until the end, and whether the last one is heard."""


async def _live(world: World, life: Life | None, is_over: Callable[[], bool]) -> None:
    """One control plane, until it dies or there is nothing more to do."""
    async with Mortal.from_kubeconfig(world.kubeconfig) as client:
        assert isinstance(client, Mortal)
        if life is not None:
            client.writes, client.is_heard = life
        plane = asyncio.create_task(ControlPlane(client).run(_nothing))
        try:
            while not (client.died.is_set() or is_over()):
                assert not plane.done()
                await asyncio.sleep(0.005)
        finally:
            await _end(plane)


async def _lives(world: World, lives: Iterator[Life | None], is_over: Callable[[], bool]) -> int:
    """One control plane after the other, each over the same world; returns how many."""
    for number, life in enumerate(lives, start=1):
        await _live(world, life, is_over)
        if is_over():
            return number
    raise AssertionError("no control plane is left")


async def rolled_out(
    world: World,
    *planes: Iterator[Life | None],
    wanted: dict[str, Any] | None = None,
    restarts: bool = False,
    first: Callable[[], Awaitable[None]] | None = None,
) -> tuple[dict[str, Any], int]:
    """The world after a Service was made and changed, and how many control planes that took.

    ``wanted`` is waited for; where it does not come, what there is instead is returned.
    ``first`` comes after the control planes have begun.
    ``restarts``: the API server is restarted as soon as the change has begun to be carried out.
    """
    done = asyncio.Event()
    running = [asyncio.create_task(_lives(world, each, done.is_set)) for each in planes]
    try:
        async with asyncio.timeout(PATIENCE):
            if first is not None:
                await first()
            for text, revision in (("one", "hello-00001"), ("two", "hello-00002")):
                await world.change(text)
                if restarts:
                    await _until_made(world, revision)
                    await world.restart()
                while not await world.is_ready(revision):
                    assert not any(each.done() for each in running)
                    await asyncio.sleep(0.01)
        settled = await _settled(world, wanted)
    finally:
        done.set()
    return settled, sum(await asyncio.gather(*running))


async def _until_made(world: World, revision: str) -> None:
    while True:
        with contextlib.suppress(NotFound):
            await world.client.get(knative.REVISIONS, revision, SPACE)
            return
        await asyncio.sleep(0.005)


async def _settled(world: World, wanted: dict[str, Any] | None) -> dict[str, Any]:
    """What stays for a while: of what is wanted, as soon as it is there."""
    last, since = await world.seen(), 0
    patience = asyncio.get_running_loop().time() + PATIENCE
    while since < LOOKS or wanted not in (None, last):
        if asyncio.get_running_loop().time() > patience:
            break
        await asyncio.sleep(0.05)
        seen = await world.seen()
        since = since + 1 if seen == last else 0
        last = seen
    return last


def forever() -> Iterator[Life | None]:
    return iter([None])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with a_world(tmp_path_factory.mktemp("undisturbed")) as world:
            return (await rolled_out(world, forever()))[0]

    return asyncio.run(run())


async def test_a_control_plane_that_dies_with_its_writes_gets_there_all_the_same(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    lives = itertools.cycle([(1, True), (2, False), (1, True), (2, True)])
    async with a_world(tmp_path) as world:
        found, lived = await rolled_out(world, lives, wanted=undisturbed)
    assert found == undisturbed
    assert lived > 5


async def test_two_control_planes_at_once_make_nothing_twice(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    async with a_world(tmp_path) as world:
        found, _ = await rolled_out(world, forever(), forever(), wanted=undisturbed)
    assert found == undisturbed


async def test_an_api_server_that_is_restarted_in_the_middle_changes_nothing(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    async with a_world(tmp_path) as world:
        found, _ = await rolled_out(world, forever(), wanted=undisturbed, restarts=True)
    assert found == undisturbed


async def test_definitions_that_come_late_are_waited_for(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    async with a_world(tmp_path, installs=False) as world:
        Mortal.in_vain.clear()

        async def later() -> None:
            while not {each.path() for each in SHOWN[:5]} <= Mortal.in_vain:
                await asyncio.sleep(0.01)
            await install(world.client)

        found, _ = await rolled_out(world, forever(), wanted=undisturbed, first=later)
    assert found == undisturbed

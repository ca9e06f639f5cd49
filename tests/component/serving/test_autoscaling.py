"""The control plane with a real API server: waking at a poke, sleeping, settings, deletion."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.controllers.main import ControllersConfig
from hearth.cluster.controllers.main import run as run_controllers
from hearth.knative import resources as knative
from hearth.kube import resources as kinds
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object, annotations, labels, name
from hearth.kube.tokens import Tokens
from hearth.observability.metrics import REGISTRY
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.settings import Settings
from serving.api.stats import Stat, encode_frame, encode_hello
from serving.autoscaler.server import StatsServer
from serving.controlplane import ControlPlane
from serving.install import install
from serving.kinds import pods, sources

WAIT_SECONDS = 60.0
NAMESPACE = "default"
REVISION, DEPLOYMENT = "hello-00001", "hello-00001-deployment"
MOMENT = "2026-11-20T16:40:00Z"


@dataclass
class Cluster:
    client: KubeClient
    plane: ControlPlane
    stats: StatsServer
    kubeconfig: Path
    now: float = 1_795_192_800.0

    async def get(self, resource: kinds.Resource, wanted: str) -> Object:
        return await self.client.get(resource, wanted, NAMESPACE)

    async def replicas(self) -> int:
        return int((await self.get(kinds.DEPLOYMENTS, DEPLOYMENT))["spec"]["replicas"])

    async def active(self) -> str:
        found = await self.get(knative.PODAUTOSCALERS, REVISION)
        conditions = (found.get("status") or {}).get("conditions") or ()
        return next((c["status"] for c in conditions if c["type"] == "Active"), "")

    async def pods(self) -> list[Object]:
        found, _ = await self.client.list(kinds.PODS, NAMESPACE)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    async def make_ready(self) -> None:
        """Plays the node: every pod runs and is ready."""
        for pod in await self.pods():
            condition = {"type": "Ready", "status": "True", "lastTransitionTime": MOMENT}
            played = {"phase": "Running", "podIP": "127.0.0.1", "conditions": [condition]}
            status = {**pod["status"], **played}
            await self.client.update_status(kinds.PODS, {**pod, "status": status})


async def eventually(check: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    seen = None
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while (seen := await check()) != wanted:
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited for {wanted!r}, last seen {seen!r}") from None


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Cluster]:
    async with (
        running_apiserver(folder) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await install(client)
        plane = ControlPlane(client, settings=Settings(), clock=lambda: made.now)
        stats = StatsServer(
            plane.multiscaler,
            tokens=Tokens("secret"),
            clock=lambda: made.now,
            wish=plane.wishing.take,
        )
        made = Cluster(client, plane, stats, server.kubeconfig)
        await stats.start("127.0.0.1", 0)
        synced = asyncio.Event()
        tasks = [
            asyncio.create_task(plane.run(synced.set)),
            asyncio.create_task(
                run_controllers(ControllersConfig(server.kubeconfig), lambda: None)
            ),
        ]
        await synced.wait()
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await stats.close()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with running(tmp_path) as found:
        yield found


def a_service(**own: str) -> Object:
    template = {
        "metadata": {"annotations": own},
        "spec": {"containers": [{"name": "user-container", "image": "app"}]},
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "hello", "namespace": NAMESPACE},
        "spec": {"template": template, "traffic": [{"latestRevision": True, "percent": 100}]},
    }


async def one_pod(cluster: Cluster) -> bool:
    return len(await cluster.pods()) == 1


async def came_up(cluster: Cluster, **own: str) -> None:
    await cluster.client.create(knative.KSERVICES, a_service(**own))
    await eventually(lambda: one_pod(cluster), True)
    await cluster.make_ready()
    await eventually(cluster.active, "True")


async def fell_asleep(cluster: Cluster) -> None:
    """No request for a whole window, seen tick by tick."""
    for _ in range(40):
        cluster.now += 2
        cluster.plane.multiscaler.tick(cluster.now)
    await eventually(cluster.replicas, 0)
    await eventually(cluster.active, "False")


async def connect(cluster: Cluster, token: str = "secret") -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", cluster.stats.port)
    writer.write(encode_hello(token, "activator-1"))
    return writer


async def test_sleeps_and_wakes_at_a_poke(cluster: Cluster) -> None:
    await came_up(cluster)
    await fell_asleep(cluster)
    writer = await connect(cluster)
    stat = Stat(NAMESPACE, REVISION, 1.0, 0, 1)
    writer.write(encode_frame(cluster.now, [stat], is_poke=True))
    await eventually(cluster.replicas, 1)
    await eventually(cluster.active, "Unknown")
    await eventually(lambda: one_pod(cluster), True)
    await cluster.make_ready()
    await eventually(cluster.active, "True")
    writer.close()
    told = cluster.plane.explaining.of(NAMESPACE, REVISION)
    assert told is not None
    woken, slept = told["explanations"][0]["changes"][:2]
    assert (woken["from"], woken["to"], woken["cause"]) == (0, 1, "1 waiting in activator-1")
    assert woken["decidedBy"] == "stable window"
    assert (slept["to"], slept["decidedBy"], slept["cause"]) == (0, "scale to zero", "")


async def test_a_burst_at_zero_gets_all_its_pods_at_once(cluster: Cluster) -> None:
    await came_up(cluster, **{"autoscaling.knative.dev/target": "10"})
    await fell_asleep(cluster)
    writer = await connect(cluster)
    stat = Stat(NAMESPACE, REVISION, 35.0, 0, 35)
    writer.write(encode_frame(cluster.now, [stat], is_poke=True))
    await eventually(cluster.replicas, 5)
    writer.close()


async def test_a_peer_without_the_token_is_cut_off(cluster: Cluster) -> None:
    await came_up(cluster)
    await fell_asleep(cluster)
    reader, writer = await asyncio.open_connection("127.0.0.1", cluster.stats.port)
    writer.write(encode_hello("guess", "stranger"))
    writer.write(encode_frame(0.0, [Stat(NAMESPACE, REVISION, 9.0, 9, 9)], is_poke=True))
    try:
        assert await reader.read() == b""
    except ConnectionResetError:
        pass
    writer.close()
    assert await cluster.replicas() == 0


async def test_settings_change_what_is_running(cluster: Cluster) -> None:
    await came_up(cluster)
    settings = cluster.plane.settings
    cluster.plane.change_settings(replace(settings, autoscaler=AutoscalerConfig(min_scale=3)))
    await eventually(cluster.replicas, 3)


async def test_nothing_is_written_while_nothing_happens(cluster: Cluster) -> None:
    await came_up(cluster)
    await fell_asleep(cluster)

    async def version() -> str:
        return (await cluster.client.list(kinds.NAMESPACES))[1]

    async def settled() -> bool:
        before = await version()
        await asyncio.sleep(0.5)  # that nothing comes cannot be waited for
        return before == await version()

    await eventually(settled, True)
    before = await version()
    for _ in range(20):
        cluster.now += 2
        cluster.plane.multiscaler.tick(cluster.now)
        await asyncio.sleep(0)
    assert cluster.plane.manager.backlog == 0
    assert await version() == before


async def test_a_deleted_service_leaves_nothing_behind(cluster: Cluster) -> None:
    await came_up(cluster)
    await cluster.client.delete(knative.KSERVICES, "hello", NAMESPACE)

    async def left() -> list[str]:
        found = []
        for resource in (
            knative.CONFIGURATIONS,
            knative.REVISIONS,
            knative.ROUTES,
            knative.PODAUTOSCALERS,
            kinds.DEPLOYMENTS,
            kinds.SERVICES,
            knative.KINGRESSES,
        ):
            items, _ = await cluster.client.list(resource, NAMESPACE)
            found += [f"{resource.kind} {name(item)}" for item in items]
        return [entry for entry in found if entry != "Service kubernetes"]

    await eventually(left, [])
    assert not cluster.plane.multiscaler.deciders


async def test_a_standalone_route_that_goes_gives_its_revisions_back(cluster: Cluster) -> None:
    service = a_service()
    configuration: Object = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Configuration",
        "metadata": {"name": "hello", "namespace": NAMESPACE},
        "spec": {"template": service["spec"]["template"]},
    }
    target = {"configurationName": "hello", "latestRevision": True, "percent": 100}
    way: Object = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Route",
        "metadata": {"name": "way", "namespace": NAMESPACE},
        "spec": {"traffic": [target]},
    }
    await cluster.client.create(knative.CONFIGURATIONS, configuration)
    await cluster.client.create(knative.ROUTES, way)

    async def marks() -> tuple[str | None, str | None]:
        found, _ = await cluster.client.list(knative.REVISIONS, NAMESPACE)
        if not found:
            return None, None
        state = labels(found[0]).get("serving.knative.dev/routingState")
        return state, annotations(found[0]).get("serving.knative.dev/routes")

    await eventually(marks, ("active", "way"))
    await cluster.client.delete(knative.ROUTES, "way", NAMESPACE)
    await eventually(marks, ("reserve", None))


async def test_metrics_bear_knatives_names(cluster: Cluster) -> None:
    from serving.autoscaler.metrics import AutoscalerMetrics

    await came_up(cluster)
    collector = AutoscalerMetrics(
        cluster.plane.multiscaler,
        podautoscaler=lambda key: cluster.plane.manager.get(sources.PODAUTOSCALERS, *key),
        pods=lambda key: pods.count(cluster.plane.manager, key),
    )
    REGISTRY.register(collector)
    try:
        own = {
            "k8s_namespace_name": NAMESPACE,
            "kn_service_name": "hello",
            "kn_configuration_name": "hello",
            "kn_revision_name": REVISION,
        }
        assert REGISTRY.get_sample_value("kn_revision_pods_count", own) == 1
        assert REGISTRY.get_sample_value("kn_revision_pods_desired", own) == 1
        assert REGISTRY.get_sample_value("kn_revision_concurrency_target", own) == 70
        assert REGISTRY.get_sample_value("kn_revision_panic_mode", own) == 0
    finally:
        REGISTRY.unregister(collector)

"""Pods that are made ahead of their time: what they find in place, and what follows them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from hearth.cluster import readynames
from hearth.cluster.node.main import NodeConfig, node_id_of
from hearth.cluster.node.runtime.bundles.runc import find_program
from hearth.cluster.node.runtime.engine.maker import NODE_LABEL
from hearth.cluster.node.runtime.engine.sockets import Found
from hearth.cluster.node.volumes.sources import ClusterSources, Snapshot
from hearth.cluster.node.worker.foreseen import Foreseen
from hearth.cluster.node.worker.setup import PodSetup
from hearth.kube import meta
from hearth.kube.errors import NotFound
from hearth.kube.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    PODS,
    REPLICASETS,
    SECRETS,
    SERVICEACCOUNTS,
)
from hearth.oci.loading import load
from hearth.oci.manifests import OCI_MANIFEST, Descriptor
from hearth.oci.packing import Entry, Layout
from hearth.oci.references import parse_reference
from hearth.oci.store import ContentStore
from tests.component.keda.servers import missing
from tests.component.node.engines import Engine
from tests.images import TestImage, is_root, make_test_image, static_entries

Cluster = Any
Look = Any
Object = dict[str, Any]
Runner = Callable[..., contextlib.AbstractAsyncContextManager[None]]
PATIENCE = 60.0
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


def put_image(data_dir: Path, image: TestImage) -> None:
    described = Descriptor(OCI_MANIFEST, image.digest, 0)
    store = ContentStore(data_dir / "containers")
    load(Layout(image.layout), described, store, parse_reference("app:1"), now=1.0)


@pytest.fixture
def engine(bare_cluster: Cluster, static_layout: TestImage) -> Found:
    """Containers by runc, of the image ``app:1``."""
    command = find_program() if is_root() else ""
    if not command:
        missing("without root and runc no containers were made ahead")
    put_image(bare_cluster.data_dir, static_layout)
    return Found("runc", command=command, is_root=True)


@pytest.fixture
def config(bare_cluster: Cluster, engine: Found) -> NodeConfig:
    return NodeConfig(
        kubeconfig=bare_cluster.server.kubeconfig,
        data_dir=bare_cluster.data_dir,
        node_name="node",
        engine=engine,
        stop_grace_seconds=0.5,
        termination_delay=0.01,
        calm_seconds=0.02,
        check_seconds=0.2,
    )


@pytest.fixture
async def cluster(
    bare_cluster: Cluster, config: NodeConfig, node_runner: Runner
) -> AsyncIterator[Cluster]:
    async with node_runner(config):
        yield bare_cluster
    assert_nothing_left(bare_cluster)


def assert_nothing_left(cluster: Cluster) -> None:
    """But for folders of pods that run again at the next start."""
    assert str(cluster.data_dir) not in Path("/proc/self/mounts").read_text()
    kept = {path.resolve() for path in cluster.data_dir.glob("pods/*")}
    assert set(left_ahead(cluster)) <= kept


def left_ahead(cluster: Cluster) -> list[Path]:
    """Folders of pods that are to come, or have come so."""
    return list(cluster.data_dir.glob("spares/*"))


def app(name: str, *words: str, **fields: Any) -> Object:
    return {"name": name, "image": "app:1", "args": list(words), **fields}


class Workload:
    """A Deployment at zero with its ReplicaSet, and pods as a controller makes them."""

    def __init__(self, cluster: Cluster, replica_set: Object) -> None:
        self.cluster, self.replica_set = cluster, replica_set

    @classmethod
    async def create(
        cls, cluster: Cluster, spec: Object, annotations: dict[str, str] | None = None
    ) -> Workload:
        spec = {"terminationGracePeriodSeconds": 1} | spec  # its program may be told too early
        labels = {"app": "web"}
        described = {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations or {}},
                "spec": spec,
            },
        }
        above: Object | None = None
        for resource, kind, name in (
            (DEPLOYMENTS, "Deployment", "web"),
            (REPLICASETS, "ReplicaSet", "web-1"),
        ):
            metadata: Object = {"name": name, "namespace": "default"}
            if above is not None:
                metadata["ownerReferences"] = [meta.owner_reference(above)]
            obj = {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": described}
            above = await cluster.client.create(resource, obj)
        assert above is not None
        return cls(cluster, above)

    @property
    def uid(self) -> str:
        return meta.uid(self.replica_set)

    async def run(self, name: str = "") -> Object:
        """A pod; the one whose name is offered, unless another is given."""
        template = self.replica_set["spec"]["template"]
        metadata: Object = {
            "name": name or await self.offered(),
            "namespace": "default",
            "labels": template["metadata"]["labels"],
            "annotations": template["metadata"].get("annotations") or {},
            "ownerReferences": [meta.owner_reference(self.replica_set)],
        }
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        made = await self.cluster.client.create(PODS, pod)
        return cast(Object, await self.cluster.until(meta.name(made), is_ready))

    async def sleep(self, name: str) -> str:
        """Its pod goes; returns the name of the next one."""
        await self.cluster.delete(name)
        return await self.offered()

    async def offered(self, *, but: str = "") -> str:
        async with asyncio.timeout(PATIENCE):
            while (name := readynames.offered(self.uid)) in ("", but):
                await asyncio.sleep(0.01)
        return name

    async def until_none_is_left(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while readynames.offered(self.uid) or left_ahead(self.cluster):
                await asyncio.sleep(0.01)


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def holds(path: Path, text: str) -> bool:
    """Files of a volume go while others take their place."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_text() == text
    return False


def ids(pod: Object) -> set[str]:
    """Of all containers, without the scheme."""
    status = pod["status"]
    every = [*(status.get("initContainerStatuses") or ()), *status["containerStatuses"]]
    return {each["containerID"].partition("://")[2] for each in every}


async def read(pod: Object, path: str, *, port: int = 8080) -> str:
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(httpx.TransportError):
                async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                    url = f"http://{pod['status']['podIP']}:{port}{path}"
                    return (await client.get(url)).text
            await asyncio.sleep(0.01)


def made(config: NodeConfig) -> set[str]:
    """Ids of all containers of runc that are there, running or not."""
    own = hashlib.sha256(node_id_of(config.data_dir).encode()).hexdigest()[:16]
    state = Path("/run/hearth-containers") / own / "state"
    return {path.name for path in state.iterdir()} if state.is_dir() else set()


async def create(cluster: Cluster, resource: Any, kind: str, name: str, **fields: Any) -> None:
    metadata = {"name": name, "namespace": "default"}
    obj = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}
    await cluster.client.create(resource, obj)


async def put_settings(cluster: Cluster, text: str) -> None:
    with contextlib.suppress(NotFound):
        await cluster.client.patch(CONFIGMAPS, "settings", "default", {"data": {"a": text}})
        return
    await create(cluster, CONFIGMAPS, "ConfigMap", "settings", data={"a": text})


FOLLOWING = {
    "containers": [
        app(
            "main",
            "serve",
            volumeMounts=[{"name": "settings", "mountPath": "/settings"}],
        )
    ],
    "volumes": [{"name": "settings", "configMap": {"name": "settings"}}],
}
"""A pod that reads a ConfigMap from files."""
TOLD = {
    "containers": [
        app("main", "serve", envFrom=[{"configMapRef": {"name": "settings"}}]),
    ]
}
"""One that is told it by variables."""


async def with_everything(cluster: Cluster, made: Callable[[], set[str]]) -> None:
    """Init container, sidecar, two containers; volumes of all kinds; a token of its own."""
    await put_settings(cluster, "one")
    secret = base64.b64encode(b"s3cret").decode()
    await create(cluster, SECRETS, "Secret", "keys", data={"k": secret})
    await create(cluster, SERVICEACCOUNTS, "ServiceAccount", "own")
    mounts = [
        {"name": "data", "mountPath": "/data"},
        {"name": "fast", "mountPath": "/fast"},
        {"name": "settings", "mountPath": "/settings"},
        {"name": "settings", "mountPath": "/one/a", "subPath": "a"},
        {"name": "all", "mountPath": "/all"},
    ]
    projected = [
        {"secret": {"name": "keys"}},
        {"downwardAPI": {"items": [{"path": "uid", "fieldRef": {"fieldPath": "metadata.uid"}}]}},
    ]
    spec = {
        "serviceAccountName": "own",
        "initContainers": [
            app("first", "put", "/data/from-init", "hello", volumeMounts=mounts[:1]),
            app("beside", "forever", restartPolicy="Always"),
        ],
        "containers": [
            app("main", "serve", ports=[{"containerPort": 8080}], volumeMounts=mounts),
            app("other", "serve", "8081"),
        ],
        "volumes": [
            {"name": "data", "emptyDir": {}},
            {"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "settings", "configMap": {"name": "settings"}},
            {"name": "all", "projected": {"sources": projected}},
        ],
    }
    workload = await Workload.create(cluster, spec)
    await workload.run("web-1-first")
    await workload.sleep("web-1-first")
    waiting = made()
    pod = await workload.run()
    assert ids(pod) <= waiting and len(ids(pod)) == 4
    for path, text in (
        ("/data/from-init", "hello"),
        ("/settings/a", "one"),
        ("/one/a", "one"),
        ("/all/k", "s3cret"),
        ("/all/uid", meta.uid(pod)),
    ):
        assert await read(pod, f"/read?{path}") == text
    assert (await read(pod, f"/read?{TOKEN}")).count(".") == 2
    assert await read(pod, "/write?/fast/file") == "ok"
    folder = cluster.data_dir / "pods" / f"default_{meta.name(pod)}_{meta.uid(pod)}"
    assert (folder / "volumes/fast/file").read_text() == "written"
    await put_settings(cluster, "two")
    async with asyncio.timeout(PATIENCE):
        while await read(pod, "/read?/settings/a") != "two":
            await asyncio.sleep(0.01)
    assert await read(pod, "/read?/one/a") == "one"
    await cluster.delete(meta.name(pod))
    await cluster.until_folder_gone(meta.name(pod))
    await workload.offered()
    assert len(left_ahead(cluster)) == 1


async def test_a_pod_with_all_that_a_pod_may_have(cluster: Cluster, config: NodeConfig) -> None:
    await with_everything(cluster, lambda: made(config))


@pytest.fixture(scope="session", params=["docker", "podman"])
def container_engine(request: pytest.FixtureRequest) -> tuple[str, Engine]:
    """Of the session, as it outlives the test that asks for it first."""
    return request.param, request.getfixturevalue(f"{request.param}_engine")


async def test_a_pod_with_all_of_that_by_an_engine(
    bare_cluster: Cluster,
    config: NodeConfig,
    node_runner: Runner,
    container_engine: tuple[str, Engine],
) -> None:
    kind, engine = container_engine
    found = Found(kind, str(engine.socket), is_root=True)

    def made(more: str = "io.kubernetes.container.name") -> set[str]:
        label = f"label={NODE_LABEL}={node_id_of(config.data_dir)}"
        every = ("ps", "-aq", "--no-trunc", "--filter", label, "--filter", f"label={more}")
        return set(engine.run(*every).split())

    def without_holders() -> set[str]:
        return made() - made("io.kubernetes.container.name=POD")

    async with node_runner(replace(config, engine=found)):
        await with_everything(bare_cluster, without_holders)
    assert_nothing_left(bare_cluster)
    assert made() == set()


async def test_files_follow_what_they_are_made_of(cluster: Cluster, config: NodeConfig) -> None:
    await put_settings(cluster, "one")
    workload = await Workload.create(cluster, FOLLOWING)
    await workload.run("web-1-first")
    name = await workload.sleep("web-1-first")
    await put_settings(cluster, "two")
    (folder,) = left_ahead(cluster)
    async with asyncio.timeout(PATIENCE):
        while not holds(folder / "volumes/settings/a", "two"):
            await asyncio.sleep(0.01)
    assert await workload.offered() == name
    waiting = made(config)
    pod = await workload.run()
    assert ids(pod) <= waiting and await read(pod, "/read?/settings/a") == "two"


async def test_a_pod_that_comes_while_its_files_are_looked_at(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known of a pod that is not there yet is not written over what is the pod's."""
    await put_settings(cluster, "one")
    await create(cluster, SERVICEACCOUNTS, "ServiceAccount", "own")
    workload = await Workload.create(cluster, {**FOLLOWING, "serviceAccountName": "own"})
    await workload.run("web-1-first")
    await workload.sleep("web-1-first")
    asked, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    snapshot, refresh = ClusterSources.snapshot, PodSetup.refresh

    async def slow(self: ClusterSources, pod: Object, *, with_tokens: bool = True) -> Snapshot:
        found = await snapshot(self, pod, with_tokens=with_tokens)
        if not with_tokens:
            asked.set()
            await go_on.wait()
        return found

    async def told(self: PodSetup) -> None:
        await refresh(self)
        done.set()

    monkeypatch.setattr(ClusterSources, "snapshot", slow)
    monkeypatch.setattr(PodSetup, "refresh", told)
    await asyncio.wait_for(asked.wait(), PATIENCE)
    pod = await workload.run()
    done.clear()
    go_on.set()
    await asyncio.wait_for(done.wait(), PATIENCE)
    assert (await read(pod, f"/read?{TOKEN}")).count(".") == 2


async def test_what_became_another_is_made_again(cluster: Cluster, config: NodeConfig) -> None:
    """A variable that comes from a ConfigMap; then there is none, and then there is again."""
    await put_settings(cluster, "one")
    workload = await Workload.create(cluster, TOLD)
    await workload.run("web-1-first")
    name = await workload.sleep("web-1-first")
    await put_settings(cluster, "two")
    name = await workload.offered(but=name)
    await cluster.client.delete(CONFIGMAPS, "settings", "default")
    await workload.until_none_is_left()
    await put_settings(cluster, "three")
    await workload.offered(but=name)
    waiting = made(config)
    pod = await workload.run()
    assert ids(pod) <= waiting and '"a=three"' in await read(pod, "/")


async def test_an_image_that_a_name_means_now(
    cluster: Cluster, config: NodeConfig, tmp_path: Path
) -> None:
    workload = await Workload.create(cluster, {"containers": [app("main", "serve")]})
    await workload.run("web-1-first")
    name = await workload.sleep("web-1-first")
    entries = [*static_entries(), Entry("new", b"new", 0o644)]
    image = make_test_image(tmp_path, "new", entries, entrypoint=("/program",))
    put_image(cluster.data_dir, image)
    await workload.offered(but=name)
    waiting = made(config)
    pod = await workload.run()
    assert ids(pod) <= waiting and await read(pod, "/read?/new") == "new"


async def test_a_workload_that_wakes_without_it_or_goes(cluster: Cluster) -> None:
    workload = await Workload.create(cluster, {"containers": [app("main", "serve")]})
    await workload.run("web-1-first")
    await workload.sleep("web-1-first")
    scale = {"spec": {"replicas": 1}}
    await cluster.client.patch(DEPLOYMENTS, "web", "default", scale)
    await workload.until_none_is_left()
    await workload.run("web-1-second")
    await cluster.client.patch(DEPLOYMENTS, "web", "default", {"spec": {"replicas": 0}})
    await workload.sleep("web-1-second")
    await cluster.client.delete(REPLICASETS, "web-1", "default")
    await workload.until_none_is_left()


async def asleep_before(cluster: Cluster) -> Workload:
    """One that the next start finds asleep, as there have been containers before."""
    (cluster.data_dir / "run").mkdir(exist_ok=True)
    (cluster.data_dir / "run" / "containers").touch()
    return await Workload.create(cluster, {"containers": [app("main", "serve")]})


async def test_what_sleeps_at_the_start_wakes_without_it(
    bare_cluster: Cluster, config: NodeConfig, node_runner: Runner
) -> None:
    """What is made then is looked at though nothing else has ever happened."""
    workload = await asleep_before(bare_cluster)
    async with node_runner(config):
        await workload.offered()
        scale = {"spec": {"replicas": 1}}
        await bare_cluster.client.patch(DEPLOYMENTS, "web", "default", scale)
        await workload.until_none_is_left()


async def test_the_node_ends_while_one_is_removed(
    bare_cluster: Cluster,
    config: NodeConfig,
    node_runner: Runner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, drop = asyncio.Event(), Foreseen.drop

    async def slow(self: Foreseen) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        await drop(self)

    monkeypatch.setattr(Foreseen, "drop", slow)
    workload = await asleep_before(bare_cluster)
    async with node_runner(config):
        await workload.offered()
        await bare_cluster.client.delete(REPLICASETS, "web-1", "default")
        await asyncio.wait_for(begun.wait(), PATIENCE)
    assert left_ahead(bare_cluster) == [] and made(config) == set()


async def test_a_pod_that_is_not_the_one_that_was_foreseen(
    cluster: Cluster, config: NodeConfig
) -> None:
    workload = await Workload.create(cluster, {"containers": [app("main", "serve")]})
    await workload.run("web-1-first")
    await workload.sleep("web-1-first")
    waiting = made(config)
    env = [{"name": "NEW", "value": "1"}]
    workload.replica_set["spec"]["template"]["spec"]["containers"][0]["env"] = env
    pod = await workload.run()
    assert not ids(pod) & waiting and '"NEW=1"' in await read(pod, "/")
    async with asyncio.timeout(PATIENCE):
        while waiting & made(config):
            await asyncio.sleep(0.01)


async def test_what_sleeps_since_an_earlier_run(
    bare_cluster: Cluster, config: NodeConfig, node_runner: Runner
) -> None:
    """An orderly end leaves nothing; the next start makes it again; a killed one leaves no more."""
    cluster = bare_cluster
    await put_settings(cluster, "one")
    async with node_runner(config):
        workload = await Workload.create(cluster, FOLLOWING)
        await workload.run("web-1-first")
        await workload.sleep("web-1-first")
    assert left_ahead(cluster) == [] and made(config) == set()

    script = Path(__file__).with_name("node_process.py")
    words = (script, config.kubeconfig, config.data_dir, config.engine and config.engine.command)
    node = await asyncio.create_subprocess_exec(sys.executable, *map(str, words))
    async with asyncio.timeout(PATIENCE * 2):
        while not made(config):
            await asyncio.sleep(0.01)
    node.send_signal(signal.SIGKILL)
    await node.wait()
    killed = made(config)

    async with node_runner(replace(config, check_seconds=60.0)):
        pod = await workload.run()
        assert ids(pod) <= made(config) and not killed & ids(pod)
        assert await read(pod, "/read?/settings/a") == "one"
        assert len(left_ahead(cluster)) == 1
        await cluster.delete(meta.name(pod))
        await cluster.until_gone(meta.name(pod))
    assert_nothing_left(cluster)
    assert made(config) == set()

"""Containers by runc: what they see, what they may, what they may use, and what is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.pod.environment import Facts
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import parse_pod
from hearth.cluster.node.runtime.api import (
    ContainerFiles,
    CreateError,
    Instance,
    StartError,
    StartRequest,
)
from hearth.cluster.node.runtime.bundles.handles import ID
from hearth.cluster.node.runtime.bundles.runtime import BundleRuntime
from hearth.cluster.node.volumes.folders import VolumeFolders, prepare_volumes
from hearth.cluster.node.volumes.sources import Snapshot
from hearth.oci.loading import load
from hearth.oci.manifests import OCI_MANIFEST, Descriptor
from hearth.oci.packing import Entry, Layout
from hearth.oci.references import parse_reference
from tests.component.node.runtimes.direct_runtime import Harness
from tests.images import PASSWORD, USER, Registry, TestImage, make_test_image, static_entries

Object = dict[str, Any]
_PATIENCE = 60.0


class Node:
    """A runtime, and pods of one container."""

    def __init__(self, harness: Harness, folder: Path) -> None:
        self.harness = harness
        self.runtime: BundleRuntime = harness.runtime()
        self.folder = folder
        self.reports: list[tuple[str, str, str]] = []
        self.secrets: dict[str, dict[str, bytes]] = {}
        self.addresses: dict[str, str] = {}

    async def start(self, name: str, *args: str, **more: Any) -> Instance:
        """A pod with a container that runs the program with these words."""
        return await self.runtime.start(await self.request(name, *args, **more))

    async def request(
        self, name: str, *args: str, uid: str = "", pod: Object | None = None, **more: Any
    ) -> StartRequest:
        """Of such a pod, which is prepared."""
        container = {"name": "main", "image": "app:1", "args": list(args), **more}
        spec = {"containers": [container], **(pod or {})}
        metadata = {"name": name, "namespace": "ns", "uid": uid or f"uid-{name}"}
        obj = {"metadata": metadata, "spec": spec}
        parsed = parse_pod(obj)
        network = await self.runtime.prepare(parsed, PodNetwork())
        self.addresses[name] = network.ip
        place = self.folder / name
        files = place / "main"
        files.mkdir(parents=True, exist_ok=True)
        (files / "termination-log").touch(mode=0o666)
        sources = Snapshot({}, self.secrets)
        facts = Facts(obj, "node", {}, pod_ip=network.ip)
        volumes = VolumeFolders(place, self.folder / "claims")
        prepare_volumes(obj, volumes, sources, facts=facts, token=lambda _a, _s: "")
        return StartRequest(
            container=parsed.containers[0],
            restarts=0,
            network=network,
            facts=facts,
            sources=sources,
            volumes=volumes,
            files=ContainerFiles(files, files / "0.log", files / "termination-log"),
            report=lambda *event: self.reports.append(event),
        )

    async def get(self, name: str, path: str = "/", port: int = 8080) -> str:
        """What a pod that serves answers; it is waited for."""
        url = f"http://{self.addresses[name]}:{port}{path}"

        def ask() -> str:
            with urllib.request.urlopen(url, timeout=5) as answer:
                text: str = answer.read().decode()
                return text

        async with asyncio.timeout(_PATIENCE):
            while True:
                with contextlib.suppress(OSError):
                    return await asyncio.to_thread(ask)
                await asyncio.sleep(0.01)

    async def told(self, name: str) -> Any:
        """What its process tells of itself."""
        return json.loads(await self.get(name))

    def log(self, name: str) -> str:
        return (self.folder / name / "main" / "0.log").read_text()


def left(runtime: BundleRuntime) -> set[str]:
    """Mounts and groups of its containers."""
    own = runtime._maker._folder
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    found = {each for each in mounts if each.startswith(str(own))}
    groups = (each for group in groups_of(own) for each in group.iterdir())
    return found | {str(each) for each in groups if ID.fullmatch(each.name)}


def groups_of(own: Path) -> list[Path]:
    """The control groups of a runtime, in the trees of version 1 and in that of version 2."""
    top = Path("/sys/fs/cgroup")
    return [*top.glob(f"*/hearth-{own.name}"), *top.glob(f"hearth-{own.name}")]


@pytest.fixture
async def node(static_layout: TestImage, tmp_path: Path) -> AsyncIterator[Node]:
    harness = Harness(tmp_path, static_layout)
    made = Node(harness, tmp_path / "pods")
    yield made
    for name in list(made.addresses):
        await made.runtime.remove(f"uid-{name}")
    await made.runtime.remove("nobody")
    await made.runtime.sweep()
    own = made.runtime._maker._folder
    assert not left(made.runtime)
    await made.runtime.close()
    assert not own.exists()
    assert not groups_of(own)


# -- what it sees -------------------------------------------------------------------------------


async def test_a_container_is_what_image_and_pod_say(node: Node) -> None:
    env = [{"name": "COLOR", "value": "red"}]
    await node.start("shown", "serve", "9090", env=env, workingDir="/tmp")
    told = json.loads(await node.get("shown", port=9090))
    assert told["args"] == ["/program", "serve", "9090"]
    assert {"OF=image", "COLOR=red", "HOSTNAME=shown", "HOME=/root"} <= set(told["env"])
    assert (told["cwd"], told["hostname"], told["pid"]) == ("/tmp", "shown", 1)
    assert (told["uid"], told["gid"], told["no_new_privs"]) == (0, 0, 0)


async def test_who_it_runs_as(node: Node) -> None:
    security: Object = {"runAsUser": 1234, "allowPrivilegeEscalation": False}
    security |= {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    shared = {"securityContext": {"fsGroup": 77, "supplementalGroups": [88]}}
    await node.start("user", "serve", pod=shared, securityContext=security)
    told = await node.told("user")
    assert (told["uid"], told["gid"], told["no_new_privs"]) == (1234, 2345, 1)
    assert {77, 88, 3456} <= set(told["groups"])
    assert await node.get("user", "/write?/tmp/x") == "error: Read-only file system"
    status = await node.get("user", "/read?/proc/self/status")
    assert "CapBnd:\t0000000000000000" in status


async def test_a_user_by_the_name_in_the_image(node: Node, tmp_path: Path) -> None:
    made = make_test_image(
        tmp_path, "named", static_entries(), user="app", entrypoint=("/program",), cmd=("serve",)
    )
    described = Descriptor(OCI_MANIFEST, made.digest, 0)
    store = node.harness._store
    load(Layout(made.layout), described, store, parse_reference("named:1"), now=1.0)
    await node.start("named", "serve", image="named:1")
    told = await node.told("named")
    assert (told["uid"], told["gid"]) == (1234, 2345) and "HOME=/home/app" in told["env"]
    refused = {"runAsNonRoot": True}
    with pytest.raises(CreateError, match="non-numeric user"):
        await node.start("refused", image="named:1", securityContext=refused)


async def test_files_of_the_machine_are_not_there(node: Node, tmp_path: Path) -> None:
    await node.start("inside", "serve")
    assert (await node.get("inside", f"/read?{tmp_path}")).startswith("error: No such file")
    assert await node.get("inside", "/write?/proc/sys/kernel/hostname") != "ok"
    assert await node.get("inside", "/read?/proc/timer_list") == ""
    assert await node.get("inside", "/write?/fresh") == "ok"
    assert not Path("/fresh").exists()


async def test_links_of_an_image_lead_nowhere_outside(node: Node, tmp_path: Path) -> None:
    """``/etc/passwd`` is read by us, as root."""
    outside = tmp_path / "passwd"
    outside.write_text("app:x:4321:4321::/:/x\n")
    entries = [*static_entries(), Entry("etc/passwd", str(outside), 0o777)]
    made = make_test_image(tmp_path, "sly", entries, user="app", entrypoint=("/program",))
    store = node.harness._store
    described = Descriptor(OCI_MANIFEST, made.digest, 0)
    load(Layout(made.layout), described, store, parse_reference("sly:1"), now=1.0)
    with pytest.raises(CreateError, match="unable to find user app"):
        await node.start("sly", image="sly:1")


async def test_volumes_are_shared_and_read_only_where_asked(node: Node) -> None:
    volumes = {"volumes": [{"name": "v", "emptyDir": {}}]}
    mount = {"name": "v", "mountPath": "/data"}
    await node.start("rw", "serve", pod=volumes, volumeMounts=[mount])
    assert await node.get("rw", "/write?/data/x") == "ok"
    found = node.folder / "rw" / "volumes" / "v" / "x"
    assert found.read_text() == "written"
    await node.start("ro", "serve", pod=volumes, volumeMounts=[{**mount, "readOnly": True}])
    assert await node.get("ro", "/write?/data/x") == "error: Read-only file system"


async def test_the_termination_message(node: Node) -> None:
    instance = await node.start("last", "message", "words", "/dev/termination-log")
    assert (await instance.wait()).code == 1
    assert (node.folder / "last/main/termination-log").read_text() == "words"


async def test_pods_have_addresses_and_reach_each_other(node: Node) -> None:
    for name in ("one", "two"):
        await node.start(name, "serve")
        await node.get(name)
    assert node.addresses["one"] != node.addresses["two"]
    there = f"{node.addresses['two']}:8080"
    assert await node.get("one", f"/connect?{there}") == "ok"
    bridge = await node.runtime.bridge()
    assert bridge is not None
    refused = await node.get("one", f"/connect?{bridge.gateway}:9")
    assert refused == "error: Connection refused"  # it is reached


async def test_layers_more_than_a_mount_names_in_a_page(node: Node, tmp_path: Path) -> None:
    layers = [[Entry(f"layer/{number}", b"x")] for number in range(100)]
    made = make_test_image(tmp_path, "deep", static_entries(), *layers, entrypoint=("/program",))
    store = node.harness._store
    described = Descriptor(OCI_MANIFEST, made.digest, 0)
    load(Layout(made.layout), described, store, parse_reference("deep:1"), now=1.0)
    await node.start("deep", "serve", image="deep:1")
    assert await node.get("deep", "/read?/layer/99") == "x"


# -- what it may use ----------------------------------------------------------------------------


async def test_a_memory_hog_ends_and_its_neighbour_does_not(node: Node) -> None:
    limits = {"limits": {"memory": "32Mi", "cpu": "500m"}}
    neighbour = await node.start("neighbour", "serve")
    hog = await node.start("hog", "hog", "200", resources=limits)
    async with asyncio.timeout(_PATIENCE):
        how = await hog.wait()
    assert (how.code, how.is_out_of_memory) == (137, True)
    assert await node.told("neighbour")
    neighbour.kill()
    assert not (await neighbour.wait()).is_out_of_memory


async def test_a_fork_bomb_ends_at_a_limit(node: Node) -> None:
    await node.start("bomb", "serve")
    assert await node.get("bomb", "/fork?5000") == "11"
    good = await node.start("good", "exit", "0")
    assert (await good.wait()).code == 0


async def test_limits_are_in_its_control_groups(node: Node) -> None:
    limits = {"limits": {"memory": "64Mi", "cpu": "250m"}}
    instance = await node.start("limited", "serve", resources=limits)
    group = instance.group  # type: ignore[attr-defined]
    memory, cpu = group.folders.of("memory"), group.folders.of("cpu")
    if "memory" in group.folders.v1:
        assert (memory / "memory.limit_in_bytes").read_text() == f"{64 << 20}\n"
        assert (cpu / "cpu.cfs_quota_us").read_text() == "25000\n"
    else:
        assert (memory / "memory.max").read_text() == f"{64 << 20}\n"
        assert (cpu / "cpu.max").read_text() == "25000 100000\n"


# -- images -------------------------------------------------------------------------------------


async def test_an_image_is_pulled_and_told(node: Node, image_registry: Registry) -> None:
    name = f"{image_registry.host}/app:1"
    instance = await node.start("pulled", "exit", "0", image=name)
    assert [event[1] for event in node.reports] == ["Pulling", "Pulled", "Created"]
    assert node.reports[0][2] == f'Pulling image "{name}"'
    assert "Successfully pulled image" in node.reports[1][2]
    assert instance.image_id.startswith(f"{image_registry.host}/app@sha256:")
    await node.start("again", "exit", "0", image=name)
    assert node.reports[3][2] == f'Container image "{name}" already present on machine'


async def test_a_pull_secret(node: Node, locked_registry: Registry) -> None:
    name = f"{locked_registry.host}/app:1"
    with pytest.raises(CreateError, match="pull access denied") as caught:
        await node.start("none", image=name)
    assert caught.value.reason == "ErrImagePull"
    auths = {locked_registry.host: {"username": USER, "password": PASSWORD}}
    config = json.dumps({"auths": auths}).encode()
    node.secrets = {"pull": {".dockerconfigjson": config}}
    spec = {"imagePullSecrets": [{"name": "pull"}]}
    assert await node.start("some", "exit", "0", image=name, pod=spec)


async def test_a_disk_that_is_nearly_full_loses_what_nothing_runs(
    node: Node, image_registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = make_test_image(tmp_path, "old", [Entry("old", b"x" * 1000)])
    name = image_registry.push(made, "old:1")
    images, store = node.runtime._images, node.harness._store
    await images.puller.pull(parse_reference(name), now=0.5)
    await node.start("stays", "serve")
    before = await node.get("stays")
    assert await images.make_room(()) == 0
    full = shutil.disk_usage("/")._replace(total=100 << 30, used=90 << 30)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: full)
    assert await images.make_room(()) == 2
    assert store.list() == [] and len(os.listdir(store.layers)) == 1
    assert await node.get("stays") == before
    assert await node.get("stays", "/read?/etc/group")


@pytest.mark.parametrize(
    ("image", "reason"), [("Not A Name", "InvalidImageName"), ("none:1", "ErrImageNeverPull")]
)
async def test_images_that_cannot_be(node: Node, image: str, reason: str) -> None:
    with pytest.raises(CreateError) as caught:
        await node.start("no", image=image, imagePullPolicy="Never")
    assert caught.value.reason == reason


# -- what is left of it -------------------------------------------------------------------------


async def test_nothing_is_left_of_a_start_that_failed(node: Node) -> None:
    with pytest.raises(StartError, match=r'^exec: "/nothing": (stat /nothing: )?no such file'):
        await node.start("missing", command=["/nothing"])
    await node.runtime.sweep()
    assert not left(node.runtime)


@pytest.mark.parametrize("seconds", [0.001, 0.01, 0.015, 0.02, 0.025, 0.03, 0.05])
async def test_nothing_is_left_of_a_start_that_was_cut_short(node: Node, seconds: float) -> None:
    starting = asyncio.create_task(node.start("cut", "serve"))
    await asyncio.wait({starting}, timeout=seconds)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    await node.runtime.remove("uid-cut")
    await node.runtime.sweep()
    assert not left(node.runtime)
    assert os.listdir(node.runtime._maker._writable) == []


async def test_what_a_killed_container_has_started_ends_with_it(node: Node) -> None:
    instance = await node.start("parent", "serve")
    await node.get("parent", "/fork?5")
    group = instance.group  # type: ignore[attr-defined]
    assert len(group.pids()) >= 6
    instance.kill()
    await instance.wait()
    async with asyncio.timeout(_PATIENCE):
        while group.pids():
            await asyncio.sleep(0.01)
    await instance.close(sweep=True)


# -- what waits for the next pod ----------------------------------------------------------------


async def waiting(node: Node, name: str = "web") -> str:
    """Makes a container of a pod that is to come; its id."""
    request = await node.request(name, "serve", uid="nobody")
    await node.runtime.make_ahead(request)
    (made,) = node.runtime._maker.found()
    return made


async def test_the_next_pod_of_what_sleeps_is_all_but_there(node: Node) -> None:
    made = await waiting(node)
    assert await node.runtime.fits(await node.request("web", "serve", uid="nobody"))
    node.runtime.hand_over("nobody", "uid-web")
    instance = await node.start("web", "serve")
    told = await node.told("web")
    assert told["hostname"] == "web" and "HOSTNAME=web" in told["env"]
    assert instance.handle.startswith(made)
    assert "listening on 8080" in node.log("web")
    instance.terminate()
    assert (await instance.wait()).code == 143


async def test_what_waits_is_not_for_others(node: Node) -> None:
    made = await waiting(node)
    node.runtime.hand_over("nobody", "uid-web")
    env = [{"name": "CHANGED", "value": "since"}]
    assert not await node.runtime.fits(await node.request("web", "serve", env=env))
    instance = await node.start("web", "serve", env=env)
    assert "CHANGED=since" in (await node.told("web"))["env"]
    assert not instance.handle.startswith(made)
    assert len(node.runtime._maker.found()) == 1


async def test_a_file_in_the_place_of_another_is_not_what_was_mounted(node: Node) -> None:
    await waiting(node)
    request = await node.request("web", "serve", uid="nobody")
    assert await node.runtime.fits(request)
    other = request.files.folder / "other"
    other.touch()
    other.replace(request.files.termination_log)
    assert not await node.runtime.fits(request)


async def test_what_has_ended_while_it_waited(node: Node) -> None:
    await waiting(node)
    (kept,) = node.runtime._kept._kept.values()
    kept.ready.process.signal(signal.SIGKILL)
    await kept.ready.process.wait()
    node.runtime.hand_over("nobody", "uid-web")
    await node.start("web", "serve")
    assert (await node.told("web"))["hostname"] == "web"


async def test_none_is_made_of_an_image_that_is_not_there(node: Node) -> None:
    for image, reason in (("none:1", "ErrImagePull"), ("Not A Name", "InvalidImageName")):
        request = await node.request("web", image=image, uid="nobody")
        with pytest.raises(CreateError) as caught:
            await node.runtime.make_ahead(request)
        assert caught.value.reason == reason
        assert not await node.runtime.fits(request)


async def test_nothing_waits_after_the_end_of_the_node_or_of_its_pod(node: Node) -> None:
    await waiting(node)
    await node.runtime.remove("nobody")
    assert not node.runtime._maker.found()
    await waiting(node)
    assert await node.runtime.sweep() == 0
    assert not node.runtime._maker.found()

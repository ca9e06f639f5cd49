"""Files the node keeps: volumes that change at once, the image store, saved pods, ports."""

from __future__ import annotations

import random
import re
import socket
import threading
from pathlib import Path

import pytest

from hearth.cluster.node.images.store import ImageSpec, ImageStore
from hearth.cluster.node.pod.environment import ConfigError, Facts
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.payload import File
from hearth.cluster.node.pod.records import Record, Running
from hearth.cluster.node.pod.spec import PodSpec, parse_pod
from hearth.cluster.node.runtime.ports import NoPort, PortAllocator
from hearth.cluster.node.volumes.atomicwriter import write_files
from hearth.cluster.node.volumes.folders import VolumeError, VolumeFolders, prepare_volumes
from hearth.cluster.node.worker.folder import PodFolder, SavedPod
from hearth.oci.references import InvalidImageName


class _NoSources:
    """A namespace without ConfigMaps and Secrets."""

    def config_map(self, name: str) -> None:
        return None

    def secret(self, name: str) -> None:
        return None


NO_SOURCES = _NoSources()


def shown(folder: Path) -> dict[str, bytes]:
    """What a program sees, through the visible names."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in folder.iterdir()
        if not name.name.startswith("..")
        for path in ([name] if name.is_file() else name.rglob("*"))
        if path.is_file()
    }


def test_files_are_replaced_as_one(tmp_path: Path) -> None:
    assert write_files(tmp_path, {"a": File(b"1"), "d/b": File(b"2", 0o400)})
    assert shown(tmp_path) == {"a": b"1", "d/b": b"2"}
    assert (tmp_path / "d/b").stat().st_mode & 0o777 == 0o400
    assert not write_files(tmp_path, {"a": File(b"1"), "d/b": File(b"2", 0o400)})
    held = (tmp_path / "a").resolve()
    [dated] = [each.name for each in tmp_path.iterdir() if each.is_dir() and not each.is_symlink()]
    assert re.fullmatch(r"\.\.\d{4}(_\d\d){5}\..+", dated)
    assert sorted(each.name for each in tmp_path.iterdir())[:2] == [dated, "..data"]
    assert write_files(tmp_path, {"a": File(b"3"), "c": File(b"4")})
    assert shown(tmp_path) == {"a": b"3", "c": b"4"}
    assert not held.exists()
    assert len([p for p in tmp_path.iterdir() if p.is_dir() and not p.is_symlink()]) == 1


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "..x", ""])
def test_files_stay_inside(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError):
        write_files(tmp_path, {path: File(b"")})


# -- images -------------------------------------------------------------------------------------


def run(*command: str) -> ImageSpec:
    return ImageSpec(entrypoint=command)


def test_images_by_tag_and_digest(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    first = store.add("my/app:1", run("one"))
    assert store.resolve("docker.io/my/app:1") == first
    assert store.resolve("my/app") is None
    second = store.add("my/app:1", run("two"))
    assert store.resolve("my/app:1") == second
    assert store.resolve(f"my/app@{first.digest}") == first  # a revision may still mean it
    assert store.resolve(f"my/app:9@{first.digest}") == first
    assert store.resolve(f"other/app@{first.digest}") is None
    assert [entry.name for entry in store.list()] == ["docker.io/my/app:1"]


def test_two_stores_see_each_other(tmp_path: Path) -> None:
    one, two = ImageStore(tmp_path), ImageStore(tmp_path)
    assert two.resolve("app") is None
    before = two.stamp()
    one.add("app", run("x"))
    assert two.stamp() != before
    assert two.resolve("app") is not None
    assert two.remove("app")
    assert one.resolve("app") is None
    assert not one.remove("app")


def test_writers_do_not_lose_each_others_images(tmp_path: Path) -> None:
    def add(number: int) -> None:
        for n in range(10):
            ImageStore(tmp_path).add(f"app{number}:{n}", run(f"{number}-{n}"))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ImageStore(tmp_path).list()) == 40


def test_a_digest_is_not_a_name_to_add(tmp_path: Path) -> None:
    with pytest.raises(InvalidImageName):
        ImageStore(tmp_path).add("app@sha256:" + "0" * 64, run("x"))


# -- saved pods ---------------------------------------------------------------------------------


def test_saved_pods(tmp_path: Path) -> None:
    folder = PodFolder(tmp_path / "pod")
    assert folder.load() is None
    folder.make()
    records = {"main": Record(running=Running(1.0, "42:4711:"))}
    saved = SavedPod("default", "web", "uid", 1.0, PodNetwork(ports={8080: 20001}), records)
    folder.save(saved)
    assert folder.load() == saved
    (folder.path / "state.json").write_text('{"half":')
    assert folder.load() is None


# -- ports --------------------------------------------------------------------------------------


def listening_pod(*ports: dict[str, int]) -> PodSpec:
    container = {"name": "c", "ports": list(ports)}
    metadata = {"name": "p", "namespace": "d", "uid": "u"}
    return parse_pod({"metadata": metadata, "spec": {"containers": [container]}})


def test_every_pod_gets_ports_of_its_own() -> None:
    allocator = PortAllocator(random.Random(1))
    pod = listening_pod({"containerPort": 8080}, {"containerPort": 9090})
    found = [allocator.allocate(pod, preferred={}) for _ in range(20)]
    real = [port for ports in found for port in ports.values()]
    assert len(set(real)) == 40
    allocator.release(found[0])
    assert allocator.allocate(pod, preferred=found[0]) == found[0]


def test_two_nodes_of_a_machine_give_each_other_way() -> None:
    """Though nobody listens yet; what one has given back, or was gone with it, is free again."""
    one, two = PortAllocator(random.Random(1)), PortAllocator(random.Random(1))
    pod = listening_pod({"containerPort": 8080})
    first, second = one.allocate(pod, preferred={}), two.allocate(pod, preferred={})
    assert first != second
    assert two.allocate(pod, preferred=first) != first
    one.release(first)
    assert two.allocate(pod, preferred=first) == first
    two.close()
    one.keep(second)
    assert two.allocate(pod, preferred=second) != second
    del one
    assert two.allocate(pod, preferred=second) == second


def test_a_port_in_use_is_not_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        allocator = PortAllocator(random.Random(1))
        pod = listening_pod({"containerPort": 8080})
        assert allocator.allocate(pod, preferred={8080: taken})[8080] != taken
        with pytest.raises(NoPort, match=f"host port {taken} is in use"):
            allocator.allocate(
                listening_pod({"containerPort": 80, "hostPort": taken}), preferred={}
            )


@pytest.mark.parametrize("claim", ["../../outside", "..", "/outside", "a/b"])
def test_a_claim_stays_in_its_folder(tmp_path: Path, claim: str) -> None:
    pod = {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]},
    }
    claims = tmp_path / "inner" / "claims"
    claims.mkdir(parents=True)
    with pytest.raises(VolumeError, match="not found"):
        prepare_volumes(
            pod,
            VolumeFolders(tmp_path / "pod", claims),
            NO_SOURCES,
            facts=Facts(pod, "node", {}),
            token=lambda audience, seconds: "",
        )
    assert list(claims.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]


def test_the_image_store_is_private(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    store.add("app", run("a"))
    assert (tmp_path / "images.json").stat().st_mode & 0o077 == 0

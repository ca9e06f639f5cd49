"""Volumes on disk: for whom they are open, and what containers cannot do with them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.main import NodeConfig
from hearth.cluster.node.pod.environment import ConfigError, Facts
from hearth.cluster.node.volumes.folders import VolumeFolders, prepare_volumes
from hearth.cluster.node.volumes.memory import unmount_all
from hearth.cluster.node.volumes.mounts import make_mounts
from hearth.cluster.node.volumes.sources import Snapshot
from hearth.cluster.node.volumes.usage import disk_usage

SOURCES = Snapshot(secrets={"keys": {"a": b"1", "b": b"2"}})
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def a_pod(volume: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"volumes": [{"name": "v", **volume}], "containers": [{"name": "c"}], **spec},
    }


def prepared(folder: Path, pod: dict[str, Any]) -> Path:
    """The folder of the pod's volume, made under the node's own umask."""
    before = os.umask(0o077)
    try:
        prepare_volumes(
            pod,
            VolumeFolders(folder / "pod", folder / "claims"),
            SOURCES,
            facts=Facts(pod, "node", {}),
            token=lambda audience, seconds: "token",
        )
    finally:
        os.umask(before)
    claims = list((folder / "claims").glob("*"))
    return claims[0] if claims else folder / "pod" / "volumes" / "v"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_any_user_of_a_container_may_write_to_an_empty_folder(tmp_path: Path) -> None:
    assert mode(prepared(tmp_path, a_pod({"emptyDir": {}}))) == 0o777
    assert mode(tmp_path / "pod") == 0o700


def test_any_user_may_read_a_secret_whose_mode_lets_them(tmp_path: Path) -> None:
    items = [{"key": "a", "path": "x/a"}, {"key": "b", "path": "b", "mode": 0o400}]
    folder = prepared(tmp_path, a_pod({"secret": {"secretName": "keys", "items": items}}))
    assert (mode(folder), mode(folder / "x"), mode(folder / "x" / "a")) == (0o755, 0o755, 0o644)
    assert mode(folder / "b") == 0o400


@needs_root
def test_fsgroup_has_the_files_and_the_token(tmp_path: Path) -> None:
    token = {"serviceAccountToken": {"path": "token"}}
    sources = [token, {"secret": {"name": "keys", "items": [{"key": "a", "path": "x/a"}]}}]
    volume = {"projected": {"sources": sources, "defaultMode": 0o400}}
    folder = prepared(tmp_path, a_pod(volume, securityContext={"fsGroup": 4321, "runAsUser": 7}))
    for path in (folder, folder / "x", folder / "x" / "a", folder / "token"):
        assert path.stat().st_gid == 4321
    assert (folder / "token").stat().st_uid == 7
    assert (mode(folder / "x" / "a"), mode(folder / "token")) == (0o440, 0o640)
    assert mode(folder) == 0o2755


@needs_root
def test_a_claim_becomes_the_group_of_the_pod_that_mounts_it(tmp_path: Path) -> None:
    claim = {"persistentVolumeClaim": {"claimName": "data"}}
    outside = tmp_path / "outside"
    outside.write_text("")
    outside.chmod(0o600)
    folder = prepared(tmp_path, a_pod(claim))
    (folder / "in").mkdir(mode=0o700)
    (folder / "in" / "file").write_text("")
    (folder / "in" / "link").symlink_to(outside)
    prepared(tmp_path, a_pod(claim, securityContext={"fsGroup": 4321}))
    assert (folder / "in" / "file").stat().st_gid == (folder / "in").stat().st_gid == 4321
    assert mode(folder / "in") == 0o2770
    assert (outside.stat().st_gid, mode(outside)) == (os.getegid(), 0o600)


@needs_root
def test_a_folder_in_memory_has_its_size_and_goes_with_the_pod(tmp_path: Path) -> None:
    volume = {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    try:
        folder = prepared(tmp_path, a_pod(volume))
        if not folder.is_mount():
            pytest.skip("this machine lets nobody mount memory")
        with pytest.raises(OSError, match="No space"):
            (folder / "file").write_bytes(bytes(2 << 20))
        assert mode(prepared(tmp_path, a_pod(volume))) == 0o777
        unmount_all(tmp_path / "pod" / "volumes")
        assert not folder.is_mount()
        assert prepared(tmp_path, a_pod(volume)).is_mount()  # as after a restart
    finally:
        unmount_all(tmp_path / "pod" / "volumes")


@needs_root
async def test_a_node_that_ends_leaves_no_memory_behind(
    bare_cluster: Any, node_runner: Any, look: Any
) -> None:
    config = NodeConfig(
        kubeconfig=bare_cluster.server.kubeconfig,
        data_dir=bare_cluster.data_dir,
        node_name="node",
        stop_grace_seconds=0.5,
    )
    async with node_runner(config):
        volumes = [{"name": "v", "emptyDir": {"medium": "Memory"}}]
        await bare_cluster.create("fast", "exec sleep 1000", volumes=volumes)
        await bare_cluster.until("fast", look.is_ready)
    (folder,) = bare_cluster.data_dir.glob("pods/*/volumes/v")
    assert not folder.is_mount()


def mounts(folder: Path, pod: dict[str, Any], **mount: Any) -> list[tuple[Path, bool]]:
    container = {"volumeMounts": [{"name": "v", "mountPath": "/data", **mount}]}
    folders = VolumeFolders(folder / "pod", folder / "claims")
    return [(m.source, m.read_only) for m in make_mounts(container, pod, folders, {"POD": "p"})]


def test_containers_do_not_write_to_what_the_node_writes(tmp_path: Path) -> None:
    pod = a_pod({"secret": {"secretName": "keys"}})
    folder = prepared(tmp_path, pod)
    assert mounts(tmp_path, pod) == [(folder, True)]
    claim = a_pod({"persistentVolumeClaim": {"claimName": "data", "readOnly": True}})
    assert mounts(tmp_path, claim)[0][1]


def test_a_part_of_a_volume_is_made_as_open_as_the_volume(tmp_path: Path) -> None:
    pod = a_pod({"emptyDir": {}})
    folder = prepared(tmp_path, pod)
    assert mounts(tmp_path, pod, subPathExpr="of/$(POD)") == [(folder / "of" / "p", False)]
    assert mode(folder / "of") == mode(folder / "of" / "p") == 0o777


@pytest.mark.parametrize("sub", ["link", "link/below", "../other", "/etc"])
def test_a_part_of_a_volume_is_within_it_whatever_a_container_left(
    tmp_path: Path, sub: str
) -> None:
    pod = a_pod({"emptyDir": {}})
    (prepared(tmp_path, pod) / "link").symlink_to("/etc")
    with pytest.raises(ConfigError, match="must stay within its volume"):
        mounts(tmp_path, pod, subPath=sub)


def test_a_part_of_a_claim_that_pods_have_in_common(tmp_path: Path) -> None:
    claim = a_pod({"persistentVolumeClaim": {"claimName": "data"}})
    folder = prepared(tmp_path, claim)
    (folder / "mine").mkdir()
    (folder / "mine" / "file").write_text("kept")
    assert mounts(tmp_path, claim, subPath="mine/file") == [(folder / "mine" / "file", False)]
    other = VolumeFolders(tmp_path / "another pod", tmp_path / "claims")
    container = {"volumeMounts": [{"name": "v", "mountPath": "/d", "subPath": "mine"}]}
    assert make_mounts(container, claim, other, {})[0].source == folder / "mine"


def test_what_a_folder_takes_of_the_disk(tmp_path: Path) -> None:
    empty = disk_usage(tmp_path, 1 << 40)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    file = tmp_path / "deep" / "er" / "file"
    file.write_bytes(bytes(1 << 20))
    os.sync()
    once = disk_usage(tmp_path, 1 << 40)
    assert once >= empty + (1 << 20)
    (tmp_path / "again").hardlink_to(file)
    (tmp_path / "elsewhere").symlink_to("/usr")
    with open(tmp_path / "hole", "wb") as hole:
        hole.truncate(1 << 30)
    assert once <= disk_usage(tmp_path, 1 << 40) < once + (1 << 16)
    assert disk_usage(tmp_path, 1 << 19) > 1 << 19
    assert disk_usage(tmp_path / "none", 1) == 0


async def test_a_pod_that_fills_its_volume_is_evicted(
    bare_cluster: Any, node_runner: Any, look: Any
) -> None:
    """With kubelet's words, for good, and what it has written goes; its neighbour stays."""
    config = NodeConfig(
        kubeconfig=bare_cluster.server.kubeconfig,
        data_dir=bare_cluster.data_dir,
        node_name="node",
        stop_grace_seconds=0.5,
        measure_seconds=0.05,
    )
    volumes = [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]
    fill = "head -c 3000000 /dev/zero > $HEARTH_VOLUME_V/f; exec sleep 1000"
    spec = {"volumes": volumes, "restartPolicy": "Always"}
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/full"}]}
    async with node_runner(config):
        await bare_cluster.create("good", "exec sleep 1000", container=mount, **spec)
        await bare_cluster.create("bad", fill, container=mount, **spec)
        pod = await bare_cluster.until("bad", lambda pod: look.phase(pod) == "Failed")
        text = 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '
        assert (pod["status"]["reason"], pod["status"]["message"]) == ("Evicted", text)
        event = await bare_cluster.until_event("bad", "Evicted")
        assert (event["type"], event["message"]) == ("Warning", text)
        await bare_cluster.until("bad", lambda pod: look.state(pod).get("terminated"))
        async with asyncio.timeout(60):
            while list(bare_cluster.data_dir.glob("pods/default_bad_*/volumes/v/f")):
                await asyncio.sleep(0.01)
        assert look.is_ready(await bare_cluster.until("good", look.is_ready))
    async with node_runner(config):
        await bare_cluster.until("good", look.is_ready)
        pod = await bare_cluster.get("bad")
        assert (look.phase(pod), pod["status"]["reason"]) == ("Failed", "Evicted")
        assert "terminated" in look.state(pod)

from __future__ import annotations

from pathlib import Path

import pytest

from hearth.cluster.node.runtime.shared.kept import Kept
from hearth.cluster.node.volumes.mounts import Mount


class Kit:
    def __init__(self) -> None:
        self.dropped: list[str] = []
        self.kept: Kept[str] = Kept(self.drop)

    async def drop(self, ready: str) -> None:
        self.dropped.append(ready)


@pytest.fixture
def kit() -> Kit:
    return Kit()


async def test_it_is_for_who_asks_for_the_same(kit: Kit) -> None:
    kit.kept.put("u", "main", "a", key="k", mounts=[])
    assert not kit.kept.fits("u", "other", key="k", mounts=[])
    assert await kit.kept.take("v", "main", key="k", mounts=[]) is None
    assert kit.kept.fits("u", "main", key="k", mounts=[])
    assert await kit.kept.take("u", "main", key="k", mounts=[]) == "a"
    assert await kit.kept.take("u", "main", key="k", mounts=[]) is None
    assert kit.dropped == []


async def test_what_is_no_more_asked_for_is_dropped(kit: Kit) -> None:
    kit.kept.put("u", "main", "a", key="k", mounts=[])
    assert await kit.kept.take("u", "main", key="l", mounts=[]) is None
    assert kit.dropped == ["a"]


async def test_files_are_known_by_what_they_are(kit: Kit, tmp_path: Path) -> None:
    mounts = [Mount(tmp_path / name, f"/{name}", read_only=True) for name in ("a", "none")]
    mounts[0].source.touch()
    kit.kept.put("u", "main", "a", key="k", mounts=mounts)
    (tmp_path / "link").symlink_to("a")
    moved = [Mount(tmp_path / "link", "/a", read_only=True), mounts[1]]
    assert kit.kept.fits("u", "main", key="k", mounts=moved)
    (tmp_path / "b").touch()
    (tmp_path / "b").replace(tmp_path / "a")
    assert not kit.kept.fits("u", "main", key="k", mounts=mounts)


async def test_a_pod_that_has_come_and_one_that_has_gone(kit: Kit) -> None:
    for uid in ("u", "v"):
        for container in ("main", "other"):
            kit.kept.put(uid, container, f"{uid}-{container}", key="k", mounts=[])
    kit.kept.hand_over("u", "pod")
    assert await kit.kept.take("pod", "main", key="k", mounts=[]) == "u-main"
    await kit.kept.drop("pod")
    assert kit.dropped == ["u-other"]
    await kit.kept.drop()
    assert sorted(kit.dropped) == ["u-other", "v-main", "v-other"]

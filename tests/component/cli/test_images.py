"""``hearth image`` with images for containers: Hearth's own store, and what must stay in it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hearth.cli.containerimages import Place
from hearth.cli.errors import UserError
from hearth.cli.images import Progress
from hearth.cli.imagesinuse import images_in_use
from hearth.cli.storeimages import StorePlace
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.kube.client import KubeClient
from hearth.kube.resources import DEPLOYMENTS
from hearth.oci.references import Reference, parse_reference
from tests.images import Registry, TestImage, is_root, write_credential_helper

MINE = parse_reference("mine:1")

as_root = pytest.mark.skipif(not is_root(), reason="layers are unpacked by root")


async def names(place: Place) -> list[str]:
    return sorted(image.name for image in await place.images())


@as_root
async def test_the_store_is_filled_and_emptied(
    tmp_path: Path, image_registry: Registry, static_layout: TestImage
) -> None:
    place, pulled = StorePlace(tmp_path), parse_reference(f"{image_registry.host}/app:1")
    await place.pull(pulled)
    assert await place.load(await asyncio.to_thread(static_layout.archive), MINE) == [str(MINE)]
    assert await names(place) == sorted([str(pulled), str(MINE)])
    [digest] = [image.digest for image in await place.images() if image.name == str(pulled)]
    by_digest = Reference(pulled.repository, "", digest)
    assert await place.prune([by_digest]) == 1
    assert await names(place) == [str(pulled)]
    assert await place.remove(pulled)
    assert not await place.remove(pulled)
    with pytest.raises(UserError, match="not found"):
        await place.pull(parse_reference(f"{image_registry.host}/nothing:1"))
    assert not list(tmp_path.glob("import-*"))


@as_root
async def test_an_image_of_the_store_goes_to_a_registry(
    tmp_path: Path,
    locked_registry: Registry,
    static_layout: TestImage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, told = StorePlace(tmp_path / "store"), list[tuple[str, str]]()
    there = parse_reference(f"{locked_registry.host}/from/store:2")
    with pytest.raises(UserError, match=r"there is no image docker\.io/library/mine:1 here"):
        await place.push(MINE, there, lambda *_: None)
    await place.load(await asyncio.to_thread(static_layout.archive), MINE)
    with pytest.raises(UserError, match="push access denied"):
        await place.push(MINE, there, lambda *_: None)
    for name, value in write_credential_helper(tmp_path, locked_registry).items():
        monkeypatch.setenv(name, value)
    digest = await place.push(MINE, there, lambda *said: told.append(said))
    assert told[-1][1] == "100 %"
    assert digest == await asyncio.to_thread(locked_registry.digest, "from/store:2")
    await place.pull(there)
    assert await names(place) == sorted([str(MINE), str(there)])
    assert not list((tmp_path / "store").glob("push-*"))


def test_progress_is_a_line_for_each_piece_where_nobody_looks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress()
    for state in ("0 %", "50 %", "100 %", "100 %"):
        progress("abc", state)
    progress("def", "Layer already exists")
    assert capsys.readouterr().out == "abc  100 %\ndef  Layer already exists\n"


async def test_what_sleeps_is_in_use(tmp_path: Path) -> None:
    containers = [{"name": "c", "image": "quay.io/team/app:1"}, {"name": "d", "image": "Not one"}]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app", "namespace": "default"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "app"}},
            "template": {
                "metadata": {"labels": {"app": "app"}},
                "spec": {"containers": containers},
            },
        },
    }
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await client.create(DEPLOYMENTS, deployment)
        assert await images_in_use(server.kubeconfig) == {parse_reference("quay.io/team/app:1")}

"""Images that only this machine knows, in an export: pushed to a real registry, or told of."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hearth.cli.draft.localimages import with_images
from hearth.cli.images import built_image, found_in
from hearth.cli.storeimages import StorePlace
from hearth.cluster.node.images.store import ImageSpec, ImageStore
from hearth.functions.building.sources import SourceFolder
from hearth.oci.references import parse_reference
from tests.images import Registry, TestImage, is_root


def a_service(image: str) -> dict[str, Any]:
    spec = {"template": {"spec": {"containers": [{"image": image}]}}}
    return {"kind": "Service", "metadata": {"name": "shop"}, "spec": spec}


def image_of(service: dict[str, Any]) -> str:
    return str(service["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "func.py").write_text("def handle(request):\n    return 'one'\n")
    return folder


def deployed(shop: Path, data_dir: Path) -> str:
    """What `hearth deploy` names the folder's image."""
    source = SourceFolder(shop)
    return built_image(data_dir, source, found_in(source), "dev.local/shop", print)


async def test_what_can_be_done_is_said(shop: Path, tmp_path: Path) -> None:
    service = a_service(image := deployed(shop, tmp_path))
    [told] = await with_images(tmp_path, None, service)
    assert told == (
        "shop runs dev.local/shop, which only this machine knows: --registry HOST/PATH makes an "
        f"image of {shop} and pushes it"
    )
    assert image_of(service) == image
    ImageStore(tmp_path).add("ghcr.io/me/mine", ImageSpec(entrypoint=("/bin/true",)))
    [told] = await with_images(tmp_path, "127.0.0.1:1", a_service("ghcr.io/me/mine"))
    assert "build an image of it, push it to a registry" in told
    [told] = await with_images(tmp_path, None, a_service("dev.local/shop:0123"))
    assert told.endswith("which only this machine knows: --registry HOST/PATH pushes it")
    assert await with_images(tmp_path, "127.0.0.1:1", a_service("ghcr.io/others/app:1")) == []


async def test_a_folders_image_is_made_and_named_by_its_digest(
    shop: Path, tmp_path: Path, image_registry: Registry
) -> None:
    (shop / "hearth.toml").write_text(f'base = "{image_registry.host}/app:1"\n')
    service = a_service(deployed(shop, tmp_path))
    assert await with_images(tmp_path, f"{image_registry.host}/me", service) == []
    name, _, digest = image_of(service).partition("@")
    assert name == f"{image_registry.host}/me/shop"
    tag = SourceFolder(shop).digest.removeprefix("sha256:")[:12]
    assert image_registry.digest(f"me/shop:{tag}") == digest
    (shop / "func.py").write_text("def handle(request):\n    return 'two'\n")  # not deployed yet
    again = a_service(ImageStore(tmp_path).list()[0].name)
    await with_images(tmp_path, f"{image_registry.host}/me", again)
    copied = Path(ImageStore(tmp_path).list()[0].image.workdir)
    assert "one" in (copied / "func.py").read_text()
    assert image_of(again).partition("@")[0] == f"{image_registry.host}/me/shop"


@pytest.mark.skipif(not is_root(), reason="layers are unpacked by root")
async def test_an_image_of_a_dockerfile_is_pushed(
    tmp_path: Path, image_registry: Registry, static_layout: TestImage
) -> None:
    place = StorePlace(tmp_path / "containers")
    archive = await asyncio.to_thread(static_layout.archive)
    await place.load(archive, parse_reference("dev.local/web:0123"))
    service = a_service("dev.local/web:0123")
    assert await with_images(tmp_path, f"{image_registry.host}/me", service) == []
    name, _, digest = image_of(service).partition("@")
    assert name == f"{image_registry.host}/me/shop"
    assert await asyncio.to_thread(image_registry.digest, "me/shop:0123") == digest

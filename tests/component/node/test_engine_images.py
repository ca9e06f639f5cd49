"""``hearth image`` with the images of an engine."""

from __future__ import annotations

import asyncio

import pytest

from hearth.cli.engineimages import EnginePlace
from hearth.cli.errors import UserError
from hearth.oci.references import parse_reference
from tests.component.node.engines import Podman
from tests.images import Registry, TestImage


async def test_an_engine_is_filled_and_left_alone(
    image_registry: Registry, static_layout: TestImage, podman_engine: Podman
) -> None:
    place = EnginePlace("podman", podman_engine.socket)
    pulled = parse_reference(f"{image_registry.host}/app:1")
    await place.pull(pulled)
    named = parse_reference("localhost/imported:7")
    assert await place.load(await asyncio.to_thread(static_layout.archive), named) == [str(named)]
    assert {str(pulled), str(named)} <= {image.name for image in await place.images()}
    with pytest.raises(UserError, match="podman image prune"):
        await place.prune([])
    with pytest.raises(UserError, match=f"podman rmi {named}"):
        await place.remove(named)
    with pytest.raises(UserError, match="nothing"):
        await place.pull(parse_reference(f"{image_registry.host}/nothing:1"))

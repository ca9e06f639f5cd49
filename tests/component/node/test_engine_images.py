"""``hearth image`` with the images of an engine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hearth.cli.engineimages import EnginePlace
from hearth.cli.errors import UserError
from hearth.oci.references import parse_reference
from tests.component.node.engines import Docker, Engine, Podman
from tests.images import Registry, TestImage, write_credential_helper


async def test_an_engine_is_filled_and_left_alone(
    image_registry: Registry, static_layout: TestImage, podman_engine: Podman, tmp_path: Path
) -> None:
    place = EnginePlace("podman", podman_engine.socket, tmp_path / "used")
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


@pytest.fixture(scope="session", params=[Podman, Docker], ids=["podman", "docker"])
def engine(request: pytest.FixtureRequest) -> Engine:
    name = request.param.__name__.lower()
    found: Engine = request.getfixturevalue(f"{name}_engine")
    return found


async def test_images_go_to_a_registry_and_come_by_a_credential_helper(
    engine: Engine,
    locked_registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = type(engine).__name__.lower()
    place, told = EnginePlace(kind, engine.socket, tmp_path / "used"), list[tuple[str, str]]()
    mine = parse_reference("docker.io/library/app:1")
    there = parse_reference(f"{locked_registry.host}/from/{kind}:2")
    with pytest.raises(UserError, match=r"failed to push image .*(unauthorized|no basic auth)"):
        await place.push(mine, there, lambda *_: None)
    for name, value in write_credential_helper(tmp_path, locked_registry).items():
        monkeypatch.setenv(name, value)
    digest = await place.push(mine, there, lambda *said: told.append(said))
    assert told and digest == await asyncio.to_thread(locked_registry.digest, f"from/{kind}:2")
    engine.run("rmi", str(there))
    await place.pull(there)
    assert str(there) in [image.name for image in await place.images()]
    with pytest.raises(UserError, match=f"{kind} has no image docker.io/library/never:1"):
        await place.push(parse_reference("never:1"), there, lambda *_: None)

"""Images of the engine that a Hearth uses, and of runc's own store, for ``hearth image``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.cli.state import is_running, read_state


@dataclass(frozen=True, slots=True)
class ContainerImage:
    """One name of an image; ``size`` in bytes."""

    name: str
    digest: str
    size: int


def container_images(data_dir: Path) -> list[ContainerImage]:
    """Those at hand for containers; nothing where no engine serves at the moment.

    An engine's are also those that others have brought there.
    """
    found = _of_store(data_dir / "containers")
    state = read_state(data_dir)
    if is_running(state) and state.get("engineSocket") is not None:
        path = Path(state["engineSocket"] or data_dir / "run/podman.sock")
        if path.is_socket():
            found += asyncio.run(_of_engine(path))
    return sorted(found, key=lambda image: image.name)


def _of_store(folder: Path) -> list[ContainerImage]:
    if not folder.is_dir():
        return []
    from hearth.oci.store import ContentStore

    return [
        ContainerImage(image.name, image.digest, image.size)
        for image in ContentStore(folder).list()
    ]


async def _of_engine(path: Path) -> list[ContainerImage]:
    from hearth.cluster.node.runtime.engine.client import EngineClient, EngineError

    client = EngineClient(str(path))
    try:
        entries = await client.call("GET", "/v1.41/images/json", timeout=5)
    except EngineError:
        return []
    finally:
        await client.close()
    return [image for entry in entries or () for image in _names(entry)]


def _names(entry: Mapping[str, Any]) -> list[ContainerImage]:
    digests = dict(str(d).split("@", 1) for d in entry.get("RepoDigests") or () if "@" in str(d))
    return [
        ContainerImage(
            str(name), digests.get(str(name).rpartition(":")[0], str(entry["Id"])), entry["Size"]
        )
        for name in entry.get("RepoTags") or ()
        if name != "<none>:<none>"
    ]

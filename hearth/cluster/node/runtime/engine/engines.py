"""Opens an engine that was found: which it is, and what it needs to be told on this machine."""

from __future__ import annotations

from typing import Any

from hearth.cluster.node.runtime.engine.client import EngineClient
from hearth.cluster.node.runtime.engine.podman import Podman
from hearth.cluster.node.runtime.engine.seam import Dialect


async def open_engine(client: EngineClient) -> Dialect:
    """The dialect of whoever answers; raises EngineError."""
    answer: dict[str, Any] = await client.call("GET", "/v1.41/version", timeout=10)
    components = {c.get("Name"): c for c in answer.get("Components") or ()}
    if "Podman Engine" not in components:
        raise NotImplementedError
    return Podman(client, str(answer["Version"]))

"""The suite's programs in an image of one static program, run by Docker."""

from __future__ import annotations

import random
import time
import uuid
from pathlib import Path

from hearth.cluster.node.runtime.engine.docker import Docker
from hearth.cluster.node.runtime.engine.images import Credentials, Images
from hearth.cluster.node.runtime.engine.networks import EngineNetwork, PublishedPorts
from hearth.cluster.node.runtime.engine.podman import SLIRP_GATEWAY
from hearth.cluster.node.runtime.engine.runtime import EngineRuntime
from hearth.cluster.node.runtime.podnets.networks import Networks
from hearth.cluster.node.runtime.ports import PortAllocator
from tests.component.node import engines
from tests.images import is_root


async def _no_logins(*_: object) -> list[Credentials]:
    return []


async def _never(_: object) -> bool:
    return False


class Harness:
    image = "app:1"
    needs = ("docker_engine",)

    def __init__(self, data_dir: Path, engine: engines.Docker) -> None:
        self._engine = engine
        self._data_dir = data_dir
        self._node_id = uuid.uuid4().hex
        self._ports = PortAllocator(random.Random())

    def runtime(self) -> EngineRuntime:
        client = self._engine.client()
        networks: Networks = PublishedPorts(self._ports, SLIRP_GATEWAY)
        if is_root():
            networks = EngineNetwork(client, self._node_id)
        return EngineRuntime(
            self._node_id,
            Docker(client, "20.10.24"),
            Images(client, _no_logins, scheme="docker"),
            networks,
            clock=time.time,
            used=self._data_dir / "images-used.json",
            folder=self._data_dir,
        )

    def program(self, *words: str) -> list[str]:
        return ["/no/such/program"] if words[0] == "missing" else ["/program", *words]

    def add_image(self, name: str) -> None:
        self._engine.run("tag", "app:1", name)

    def is_running(self, handle: str) -> bool:
        found = self._engine.run("ps", "-q", "--no-trunc", "--filter", f"id={handle}")
        return handle in found.split()

"""The suite's programs in an image of one static program, run by Podman."""

from __future__ import annotations

import random
import time
import uuid
from pathlib import Path

from hearth.cluster.node.runtime.engine.images import Credentials, Images
from hearth.cluster.node.runtime.engine.networks import PublishedPorts
from hearth.cluster.node.runtime.engine.podman import SLIRP_GATEWAY, Podman
from hearth.cluster.node.runtime.engine.runtime import EngineRuntime
from hearth.cluster.node.runtime.podnets.networks import Networks, OwnNamespaces
from hearth.cluster.node.runtime.podnets.podnets import PodNets
from hearth.cluster.node.runtime.ports import PortAllocator
from tests.component.node import engines
from tests.images import is_root


async def _no_logins(*_: object) -> list[Credentials]:
    return []


async def _never(_: object) -> bool:
    return False


class Harness:
    image = "app:1"
    needs = ("podman_engine",)

    def __init__(self, data_dir: Path, engine: engines.Podman) -> None:
        self._engine = engine
        self._data_dir = data_dir
        self._node_id = uuid.uuid4().hex
        self._ports = PortAllocator(random.Random())

    def runtime(self) -> EngineRuntime:
        client = self._engine.client()
        podman = Podman(client, "4.3.1")
        images = Images(client, _no_logins, scheme="podman")
        networks: Networks = PublishedPorts(self._ports, SLIRP_GATEWAY)
        if is_root():
            networks = OwnNamespaces(PodNets(self._node_id, data_dir=self._data_dir))
        return EngineRuntime(
            self._node_id,
            podman,
            images,
            networks,
            clock=time.time,
            used=self._data_dir / "images-used.json",
            folder=self._data_dir,
        )

    def program(self, *words: str) -> list[str]:
        return ["/no/such/program"] if words[0] == "missing" else ["/program", *words]

    def add_image(self, name: str) -> None:
        self._engine.run("tag", "docker.io/library/app:1", name)

    def is_running(self, handle: str) -> bool:
        found = self._engine.run(
            "ps", "-aq", "--no-trunc", "--filter", f"id={handle}", "--filter", "status=running"
        )
        return handle in found.split()

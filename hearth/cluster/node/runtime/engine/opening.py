"""Opens the engine that was found, and makes the runtime that uses it."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from hearth.cluster.node.runtime.engine.client import EngineClient
from hearth.cluster.node.runtime.engine.docker import Docker
from hearth.cluster.node.runtime.engine.images import Credentials, FindLogins, Images
from hearth.cluster.node.runtime.engine.networks import EngineNetwork, PublishedPorts
from hearth.cluster.node.runtime.engine.podman import SLIRP_GATEWAY, Podman
from hearth.cluster.node.runtime.engine.runtime import EngineRuntime
from hearth.cluster.node.runtime.engine.seam import Dialect
from hearth.cluster.node.runtime.engine.service import PodmanService, other_runtime
from hearth.cluster.node.runtime.engine.sockets import Found
from hearth.cluster.node.runtime.podnets.addresses import POD_RANGE
from hearth.cluster.node.runtime.podnets.networks import Networks, OwnNamespaces
from hearth.cluster.node.runtime.podnets.podnets import PodNets
from hearth.cluster.node.runtime.ports import PortAllocator
from hearth.kube.clock import Clock
from hearth.oci.credentials import Login, logins_for, parse_pull_secret
from hearth.oci.helpers import machine_logins
from hearth.oci.references import Reference


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """``node_id`` marks the containers of this node; sockets of ours lie in ``run``."""

    node_id: str
    run: Path
    docker_config: Path
    used: Path
    """Notes when images were used last (``used``)."""
    pod_range: IPv4Network = POD_RANGE


async def open_runtime(found: Found, settings: EngineSettings, clock: Clock) -> EngineRuntime:
    """Raises EngineError where the engine does not answer, or is one that we do not know."""
    service = None
    client = EngineClient(found.socket)
    if not found.socket:
        path = settings.run / "podman.sock"
        client = EngineClient(str(path))
        service = PodmanService((found.command, *other_runtime()), path)
    try:
        if service is not None:
            await service.start(client)
        engine = await open_engine(client)
    except BaseException:
        await client.close()
        if service is not None:
            await service.stop()
        raise
    return EngineRuntime(
        settings.node_id,
        engine,
        Images(client, login_finder(settings.docker_config), scheme=engine.scheme),
        _networks(found, settings, engine),
        clock=clock,
        used=settings.used,
        folder=settings.run,
        service=service,
    )


async def open_engine(client: EngineClient) -> Dialect:
    """The dialect of whoever answers; raises EngineError."""
    answer: dict[str, Any] = await client.call("GET", "/v1.41/version", timeout=10)
    components = {c.get("Name"): c for c in answer.get("Components") or ()}
    if "Podman Engine" in components:
        return Podman(client, str(answer["Version"]))
    return Docker(client, str(answer["Version"]))


def _networks(found: Found, settings: EngineSettings, engine: Dialect) -> Networks:
    """A rootful Podman takes a namespace of ours, Docker an address; all others publish ports."""
    if found.is_root and os.geteuid() == 0 and engine.scheme == "podman":
        return OwnNamespaces(
            PodNets(settings.node_id, within=settings.pod_range, data_dir=settings.run.parent)
        )
    if found.is_root and engine.scheme == "docker":
        return EngineNetwork(engine.client, settings.node_id, settings.pod_range)
    has_way_back = isinstance(engine, Podman) and engine.has_slirp
    return PublishedPorts(PortAllocator(random.Random()), SLIRP_GATEWAY if has_way_back else "")


def login_finder(docker_config: Path) -> FindLogins:
    """Logins of pull secrets, then those of docker on this machine."""

    async def find(
        reference: Reference, secrets: Sequence[Mapping[str, bytes]]
    ) -> list[Credentials]:
        known = [entry for data in secrets for entry in parse_pull_secret(data)]
        found = logins_for(reference, known)
        found += await machine_logins(docker_config, reference)
        return [credentials_of(login) for login in dict.fromkeys(found)]

    return find


def credentials_of(login: Login) -> Credentials:
    """As Docker's API takes them: a login without a user is a token."""
    if login.username:
        return {"username": login.username, "password": login.password}
    return {"identitytoken": login.password}

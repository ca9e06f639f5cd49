"""Where the pods of an engine are reached that makes their networks itself."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.runtime.api import Bridge
from hearth.cluster.node.runtime.dialing import connect_to
from hearth.cluster.node.runtime.engine.client import EngineClient, EngineError
from hearth.cluster.node.runtime.podnets.addresses import (
    POD_RANGE,
    Addresses,
    NoAddress,
)
from hearth.cluster.node.runtime.podnets.networks import NetworkError
from hearth.cluster.node.runtime.podnets.podnets import free_subnet
from hearth.cluster.node.runtime.ports import NoPort, PortAllocator

_ASK_AGAIN_MILLISECONDS = 20


@dataclass(slots=True)
class EngineNetwork:
    """For a Docker of root: a bridge that it makes for this node, and addresses that we choose."""

    client: EngineClient
    node_id: str
    within: IPv4Network = POD_RANGE
    _addresses: Addresses | None = None

    @property
    def name(self) -> str:
        """Of the network and of its bridge."""
        return f"hearth-{hashlib.sha256(self.node_id.encode()).hexdigest()[:8]}"

    async def _open(self) -> Addresses:
        if self._addresses is None:
            path = f"/v1.41/networks/{self.name}"
            found = await self.client.call("GET", path, ok=(404,))
            if found is None:
                found = await self._create()
            await asyncio.to_thread(_ask_neighbours_often, self.name)
            subnet = IPv4Network(found["IPAM"]["Config"][0]["Subnet"])
            self._addresses = self._addresses or Addresses(subnet)
        return self._addresses

    async def _create(self) -> dict[str, Any]:
        subnet = await asyncio.to_thread(free_subnet, self.node_id, self.within)
        config = [{"Subnet": str(subnet), "Gateway": str(subnet[1])}]
        body = {
            "Name": self.name,
            "Driver": "bridge",
            "IPAM": {"Config": config},
            "Options": {"com.docker.network.bridge.name": self.name},
        }
        await self.client.call("POST", "/v1.41/networks/create", body=body)
        return {"IPAM": {"Config": config}}

    async def make(self, pod: PodSpec, previous: PodNetwork) -> PodNetwork:
        """An address; Docker makes the rest when a container starts."""
        try:
            return PodNetwork((await self._open()).take(previous.ip))
        except (EngineError, NoAddress) as error:
            raise NetworkError(str(error)) from error

    async def keep(self, network: PodNetwork) -> bool:
        """Docker goes on giving it."""
        addresses = await self._open()
        addresses.taken.add(network.ip)
        return IPv4Address(network.ip) in addresses.subnet

    async def release(self, network: PodNetwork) -> None:
        """Gives the address back."""
        if self._addresses is not None:
            self._addresses.taken.discard(network.ip)

    def place(self, network: PodNetwork) -> dict[str, Any]:
        """The network's name and the address in it."""
        return {"network": self.name, "ip": network.ip}

    async def dial(self, network: PodNetwork, port: int) -> socket.socket:
        """By the pod's address."""
        return await connect_to(network.ip, port)

    async def bridge(self) -> Bridge:
        """Docker's, which has a name of ours."""
        return Bridge(self.name, (await self._open()).gateway)

    async def sweep(self) -> None:
        """Without pods there is no network."""
        if self._addresses is None or not self._addresses.taken:
            with contextlib.suppress(EngineError):
                path = f"/v1.41/networks/{self.name}"
                await self.client.call("DELETE", path, ok=(403, 404))
                self._addresses = None


def _ask_neighbours_often(bridge: str) -> None:
    """Pods are tried before Docker has made their network: the kernel would ask again in 1 s."""
    setting = Path("/proc/sys/net/ipv4/neigh") / bridge / "retrans_time_ms"
    with contextlib.suppress(OSError):  # without root, or with a Docker somewhere else
        setting.write_text(str(_ASK_AGAIN_MILLISECONDS))


@dataclass(slots=True)
class PublishedPorts:
    """For everybody else: declared ports are published on loopback, as free real ones."""

    ports: PortAllocator
    gateway: str

    async def make(self, pod: PodSpec, previous: PodNetwork) -> PodNetwork:
        """A free port for each declared one."""
        try:
            return PodNetwork(ports=self.ports.allocate(pod, preferred=previous.ports))
        except NoPort as error:
            raise NetworkError(str(error)) from error

    async def keep(self, network: PodNetwork) -> bool:
        """The engine goes on publishing."""
        self.ports.keep(network.ports)
        return True

    async def release(self, network: PodNetwork) -> None:
        """Gives the ports back."""
        self.ports.release(network.ports)

    def place(self, network: PodNetwork) -> dict[str, Any]:
        """The ports to publish."""
        return {"ports": network.ports}

    async def dial(self, network: PodNetwork, port: int) -> socket.socket:
        """Ports that are declared."""
        if port not in network.ports:
            raise ConnectionRefusedError(f"port {port} is not declared, so it is not published")
        return await connect_to(network.ip, network.ports[port])

    async def bridge(self) -> Bridge:
        """None of ours; the machine has this address inside."""
        return Bridge("", self.gateway)

    async def sweep(self) -> None:
        """There is nothing that lasts."""

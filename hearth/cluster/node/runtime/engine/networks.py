"""Where the pods of an engine are reached: namespaces of our own, or ports that it publishes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, Protocol

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.runtime.api import Bridge
from hearth.cluster.node.runtime.dialing import connect_to
from hearth.cluster.node.runtime.engine.client import EngineClient, EngineError
from hearth.cluster.node.runtime.podnets.addresses import (
    Addresses,
    NoAddress,
    choose_subnet,
    parse_routes,
)
from hearth.cluster.node.runtime.podnets.namespaces import connect_inside
from hearth.cluster.node.runtime.podnets.podnets import PodNets
from hearth.cluster.node.runtime.ports import NoPort, PortAllocator

_ASK_AGAIN_MILLISECONDS = 20


class NetworkError(Exception):
    """A pod cannot be given a network."""


class Networks(Protocol):
    """Networks of pods."""

    async def make(self, pod: PodSpec, previous: PodNetwork) -> PodNetwork:
        """Raises NetworkError."""

    async def keep(self, network: PodNetwork) -> bool:
        """Takes the network of an adopted pod over; False where it is no more."""

    async def release(self, network: PodNetwork) -> None:
        """Frees it, once nothing runs in it."""

    def place(self, network: PodNetwork) -> dict[str, Any]:
        """The fields of ``Making`` that put a container there."""

    async def dial(self, network: PodNetwork, port: int) -> socket.socket:
        """A connection to a port as from inside; raises OSError."""

    async def bridge(self) -> Bridge:
        """What containers hang on; made where it is not there."""

    async def sweep(self) -> None:
        """Removes what belongs to no pod."""


@dataclass(slots=True)
class OwnNamespaces:
    """For root: every pod has its own address, on a bridge of this node."""

    nets: PodNets
    _paths: dict[str, Path] = field(default_factory=dict)

    async def make(self, pod: PodSpec, previous: PodNetwork) -> PodNetwork:
        """In two milliseconds."""
        try:
            made = await self.nets.make(previous.ip)
        except (OSError, NoAddress) as error:
            raise NetworkError(str(error)) from error
        self._paths[made.ip] = made.path
        return PodNetwork(made.ip)

    async def keep(self, network: PodNetwork) -> bool:
        """Namespaces outlive the node's process."""
        kept = await self.nets.keep(network.ip)
        if kept is not None:
            self._paths[kept.ip] = kept.path
        return kept is not None

    async def release(self, network: PodNetwork) -> None:
        """The namespace ends with its last process."""
        self._paths.pop(network.ip, None)
        await self.nets.remove(network.ip)

    def namespace(self, network: PodNetwork) -> Path | None:
        """The file that keeps the namespace."""
        return self._paths.get(network.ip)

    def place(self, network: PodNetwork) -> dict[str, Any]:
        """In that namespace."""
        return {"namespace": self.namespace(network)}

    async def dial(self, network: PodNetwork, port: int) -> socket.socket:
        """From the loopback address in there, on which some programs listen alone."""
        path = self._paths.get(network.ip)
        if path is None:
            raise ConnectionRefusedError(f"no pod has the address {network.ip}")
        made = await asyncio.to_thread(connect_inside, path, port)
        made.setblocking(False)
        return made

    async def bridge(self) -> Bridge:
        """Our own."""
        return Bridge(self.nets.bridge, (await self.nets.open()).gateway)

    async def sweep(self) -> None:
        """Namespaces of pods that are gone."""
        await self.nets.sweep()


@dataclass(slots=True)
class EngineNetwork:
    """For a Docker of root: a bridge that it makes for this node, and addresses that we choose."""

    client: EngineClient
    node_id: str
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
        routes = await asyncio.to_thread(Path("/proc/net/route").read_text)
        subnet = choose_subnet(self.node_id, parse_routes(routes))
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

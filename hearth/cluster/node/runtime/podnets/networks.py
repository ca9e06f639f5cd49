"""Networks of pods, whatever makes them; and those that are namespaces of our own."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.runtime.api import Bridge
from hearth.cluster.node.runtime.podnets.addresses import NoAddress
from hearth.cluster.node.runtime.podnets.namespaces import connect_inside
from hearth.cluster.node.runtime.podnets.podnets import PodNets


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

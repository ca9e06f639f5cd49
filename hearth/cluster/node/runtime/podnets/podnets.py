"""The networks of a node's pods: one bridge, a namespace and an address for each pod."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import socket
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from hearth.cluster.model.clusterips import CLUSTER_IPS
from hearth.cluster.node.names.routing import Routing
from hearth.cluster.node.netlink import Netlink
from hearth.cluster.node.runtime.podnets.addresses import (
    POD_RANGE,
    PREFIX,
    Addresses,
    choose_subnet,
    parse_routes,
)
from hearth.cluster.node.runtime.podnets.namespaces import make_namespace, remove_namespace
from hearth.cluster.node.runtime.podnets.nat import close_way_out, open_way_out

FOLDER = Path("/run/hearth")
"""Of all nodes' networks."""
_OWNER = "owner"
"""The file beside the namespaces that says whose they are: the node's id and its data folder."""
_ROUTES = Path("/proc/net/fib_trie")
_LOOPBACK = 1  # its index in every namespace


@dataclass(frozen=True, slots=True)
class PodNet:
    """Where a pod lives: its address, the file that keeps its namespace, the machine's address."""

    ip: str
    path: Path
    gateway: str


class PodNets:
    """Makes and removes pods' networks. One object for a node; it needs root."""

    def __init__(
        self,
        node_id: str,
        folder: Path = FOLDER,
        *,
        within: IPv4Network = POD_RANGE,
        data_dir: Path | None = None,
    ) -> None:
        """``data_dir`` is written down: where it is gone, anybody may remove what is left."""
        digest = hashlib.sha256(node_id.encode()).hexdigest()
        self.bridge = f"hearth-{digest[:8]}"
        self._short = digest[:4]
        self._node_id = node_id
        self._within = within
        self._data_dir = data_dir
        self.folder = folder / digest[:16]
        self._addresses: Addresses | None = None
        self._mtu = 1500
        self._opening: asyncio.Task[Addresses] | None = None
        self._owner = -1

    @classmethod
    def left(cls, path: Path) -> PodNets | None:
        """Those whose folder that is, if their data folder and their process are gone."""
        with contextlib.suppress(OSError, ValueError), (path / _OWNER).open() as file:
            node_id, data_dir = file.read().split("\n", 1)
            if not Path(data_dir).exists():
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return cls(node_id, path.parent)
        return None

    def _own(self) -> None:
        """Writes down whose the folder is, and holds it for as long as this process lives."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._data_dir is not None and self._owner < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._owner = os.open(self.folder / _OWNER, flags, 0o600)
            fcntl.flock(self._owner, fcntl.LOCK_SH)
            os.write(self._owner, f"{self._node_id}\n{self._data_dir}".encode())

    async def open(self) -> Addresses:
        """The bridge, made where it is not there; its gateway is this machine."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="pods-bridge")
        try:
            return await asyncio.shield(self._opening)
        except Exception:
            self._opening = None  # the next one tries again
            raise

    async def _open(self) -> Addresses:
        if self._addresses is None:
            self._addresses = await asyncio.to_thread(self._make_bridge)
            await open_way_out(self.bridge, str(self._addresses.subnet))
        return self._addresses

    def _make_bridge(self) -> Addresses:
        """An earlier run's bridge keeps its subnet: what is adopted lives in it."""
        self._own()
        own = self.folder / "subnet"
        routes = Path("/proc/net/route").read_text()
        self._mtu = _outgoing_mtu(routes)
        try:
            known = IPv4Interface(own.read_text()).network
            is_up = (Path("/sys/class/net") / self.bridge).exists()
        except (OSError, ValueError):
            is_up = False
        subnet = known if is_up else free_subnet(self._node_id, self._within)
        addresses = Addresses(subnet)
        with Netlink() as netlink:
            netlink.add_bridge(self.bridge, addresses.gateway, mtu=self._mtu)
            index = socket.if_nametoindex(self.bridge)
            netlink.add_address(index, IPv4Interface(f"{addresses.gateway}/{PREFIX}"))
            netlink.set_up(index)
        own.write_text(str(subnet))
        return addresses

    async def make(self, wanted: str = "") -> PodNet:
        """A network for one pod, at the wanted address where that is free; raises OSError."""
        addresses = await self.open()
        ip = addresses.take(wanted)
        net = PodNet(ip, self.folder / ip, addresses.gateway)
        try:
            await asyncio.to_thread(self._make, net)
        except BaseException:
            await self.remove(ip)
            raise
        return net

    def _make(self, net: PodNet) -> None:
        remove_namespace(net.path)
        peer = f"h{self._short}{int.from_bytes(socket.inet_aton(net.ip), 'big') & 0xFFFFFF:06x}"
        with Netlink() as outer:
            outer.delete_link(peer)

            def set_up(home: int) -> None:
                with Netlink() as inner:
                    index = inner.add_veth(net.ip, peer, peer_namespace=home, mtu=self._mtu)
                    inner.set_up(_LOOPBACK)
                    inner.add_address(index, IPv4Interface(f"{net.ip}/{PREFIX}"))
                    inner.set_up(index)
                    inner.add_default_route(net.gateway, index)

            make_namespace(net.path, set_up)
            outer.set_up(socket.if_nametoindex(peer), master=socket.if_nametoindex(self.bridge))

    async def keep(self, ip: str) -> PodNet | None:
        """The network of an adopted pod; None where it is not of this node, or gone."""
        path = self.folder / ip
        if not ip or not await asyncio.to_thread(os.path.ismount, path):
            return None
        addresses = await self.open()
        addresses.taken.add(ip)
        return PodNet(ip, path, addresses.gateway)

    async def remove(self, ip: str) -> None:
        """Gives an address back and lets its namespace go."""
        await asyncio.to_thread(remove_namespace, self.folder / ip)
        if self._addresses is not None:
            self._addresses.taken.discard(ip)

    async def sweep(self) -> None:
        """Removes what was neither made nor kept here; the bridge, too, where nobody is left."""
        if self._opening is not None:  # by a start that was cut short
            await asyncio.gather(self._opening, return_exceptions=True)
        taken = self._addresses.taken if self._addresses is not None else set()
        await asyncio.to_thread(self._remove_all_but, frozenset(taken))
        if not taken:
            await self.close()

    def _remove_all_but(self, taken: frozenset[str]) -> None:
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.name not in taken and path.name not in ("subnet", _OWNER):
                remove_namespace(path)

    async def close(self) -> None:
        """Takes the bridge away; the next pod makes it again."""
        own = self.folder / "subnet"
        if own.exists():
            await close_way_out(self.bridge, own.read_text())
            Routing(self.bridge, CLUSTER_IPS).remove()
            own.unlink()
            self._addresses = self._opening = None
            with Netlink() as netlink:
                netlink.delete_link(self.bridge)
        if self.folder.is_dir():
            (self.folder / _OWNER).unlink(missing_ok=True)
            self.folder.rmdir()
        if self._owner >= 0:
            os.close(self._owner)
            self._owner = -1


def free_subnet(node_id: str, within: IPv4Network) -> IPv4Network:
    """A network that no route of this machine leads to; raises NoAddress."""
    try:
        routes = _ROUTES.read_text()
    except OSError:
        routes = ""
    return choose_subnet(node_id, parse_routes(routes), within)


def _outgoing_mtu(routes: str) -> int:
    """What the machine's own way out takes: larger packets would be lost."""
    for line in routes.splitlines()[1:]:
        name, destination, *_ = line.split()
        if destination == "00000000":
            try:
                return int((Path("/sys/class/net") / name / "mtu").read_text())
            except OSError:
                break
    return 1500

"""Which addresses pods get: a /22 of this node that nothing on the machine uses. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

PREFIX = 22  # 1021 pods; a bridge takes 1023 ports
POD_RANGE = IPv4Network("10.128.0.0/9")
"""Away from 10.96/12 (our Services and kubeadm's), 10.88/16 (podman), 10.42/15 (k3s), 10.1/16
(microk8s), 10.0/16 (Cilium, Docker's swarms), and Docker's pools, 172.16/12 and 192.168/16."""
_OF_OTHERS = (
    IPv4Network("10.128.0.0/14"),  # OpenShift
    IPv4Network("10.152.183.0/24"),  # microk8s' Services
    IPv4Network("10.217.0.0/16"),  # OpenShift on one machine
    IPv4Network("10.244.0.0/16"),  # flannel with kubeadm, kind, minikube
)
"""What other clusters on this machine may take later."""
_LARGEST = 8
"""Routes for more are ways to the world, such as those of a VPN (0.0.0.0/1), not networks."""
_LEAF = re.compile(r"\|-- (\S+)|^ +/(\d+) ", re.MULTILINE)


class NoAddress(Exception):
    """All addresses are taken; the text says so."""


def choose_subnet(
    node_id: str, taken: Iterable[IPv4Network], within: IPv4Network = POD_RANGE
) -> IPv4Network:
    """The node's own wherever that is free, so that it stays the same."""
    used = [network for network in taken if network.prefixlen >= _LARGEST]
    if within == POD_RANGE:
        used += _OF_OTHERS
    count = 1 << (PREFIX - within.prefixlen)
    start = int(hashlib.sha256(node_id.encode()).hexdigest(), 16) % count
    size = 1 << (32 - PREFIX)
    for number in range(count):
        first = int(within.network_address) + (start + number) % count * size
        subnet = IPv4Network((first, PREFIX))
        if not any(subnet.overlaps(other) for other in used):
            return subnet
    raise NoAddress(
        f"no network for pods is free within {within}: this machine has routes for all of it; "
        "name another range by `hearth up --pod-range`"
    )


def parse_routes(text: str) -> Iterator[IPv4Network]:
    """The destinations of all tables of routes, as ``/proc/net/fib_trie`` has them."""
    address = ""
    for leaf, length in _LEAF.findall(text):
        address = leaf or address
        if length:
            yield IPv4Network((address, int(length)))


def parse_range(text: str) -> IPv4Network:
    """A range that pods' networks may be taken of; raises ValueError."""
    found = IPv4Network(text)
    if found.prefixlen > PREFIX:
        raise ValueError(f"{text} is smaller than a /{PREFIX}")
    return found


@dataclass(slots=True)
class Addresses:
    """The addresses of one subnet; the first is the bridge's."""

    subnet: IPv4Network
    taken: set[str] = field(default_factory=set)
    _next: int = 2

    @property
    def gateway(self) -> str:
        """The machine's own address, as pods see it."""
        return str(self.subnet[1])

    def take(self, wanted: str = "") -> str:
        """The wanted one where it is free, else one that was not used for long."""
        if wanted and wanted not in self.taken and self._is_ours(wanted):
            self.taken.add(wanted)
            return wanted
        last = self.subnet.num_addresses - 2
        for _ in range(last):
            address = str(self.subnet[self._next])
            self._next = self._next + 1 if self._next < last else 2
            if address not in self.taken:
                self.taken.add(address)
                return address
        raise NoAddress("all addresses of the pods' network are taken")

    def _is_ours(self, text: str) -> bool:
        address = IPv4Address(text)
        return address in self.subnet and address > self.subnet[1] and address < self.subnet[-1]

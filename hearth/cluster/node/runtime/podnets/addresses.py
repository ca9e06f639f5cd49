"""Which addresses pods get: a /22 of this node that nothing on the machine uses. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

PREFIX = 22  # 1021 pods; a bridge takes 1023 ports
_RANGE = IPv4Network("10.128.0.0/9")  # away from 10.88/16 (podman) and 10.96/12 (Services)


class NoAddress(Exception):
    """All addresses are taken; the text says so."""


def choose_subnet(node_id: str, taken: Iterable[IPv4Network]) -> IPv4Network:
    """The node's own wherever that is free, so that it stays the same."""
    used = [network for network in taken if network.prefixlen]
    count = 1 << (PREFIX - _RANGE.prefixlen)
    start = int(hashlib.sha256(node_id.encode()).hexdigest(), 16) % count
    size = 1 << (32 - PREFIX)
    for number in range(count):
        first = int(_RANGE.network_address) + (start + number) % count * size
        subnet = IPv4Network((first, PREFIX))
        if not any(subnet.overlaps(other) for other in used):
            return subnet
    raise NoAddress("no network is free for pods on this machine")


def parse_routes(text: str) -> Iterator[IPv4Network]:
    """The destinations in ``/proc/net/route``: little-endian hexadecimal numbers."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7:
            address, mask = (int.from_bytes(bytes.fromhex(fields[i]), "little") for i in (1, 7))
            yield IPv4Network((address, mask.bit_count()))


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

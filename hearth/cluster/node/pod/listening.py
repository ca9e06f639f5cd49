"""Where a container's programs take connections, and what is wrong with that. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

_LISTENS = "0A"


@dataclass(frozen=True, slots=True)
class Listening:
    """Addresses with ports, and whether their network is the pod's own."""

    places: frozenset[tuple[str, int]]
    is_own_network: bool


def parse_sockets(table: str) -> Iterator[tuple[int, tuple[str, int]]]:
    """Inode, address and port of each socket that listens, of a /proc/net/tcp or tcp6."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTENS:
            address, _, port = fields[1].partition(":")
            yield int(fields[9]), (_address(address), int(port, 16))


def _address(digits: str) -> str:
    """As text; the kernel writes words of four bytes, each in the order of the machine."""
    words = (int(digits[at : at + 8], 16) for at in range(0, len(digits), 8))
    packed = b"".join(word.to_bytes(4, "little") for word in words)
    return str(ip_address(packed))


def describe(wanted: int, found: Listening) -> str:
    """What is wrong with where a program listens that is asked for at a port; empty for nothing.

    Nothing is said of a program that listens nowhere: it may be on its way.
    """
    here = {address for address, port in found.places if port == wanted}
    if any(not found.is_own_network or not _is_loopback(address) for address in here):
        return ""
    if here:
        return (
            f"port {wanted} is listened on at {min(here)} alone, which is not reached from outside "
            "its container: listen on 0.0.0.0"
        )
    if not found.places:
        return ""
    others = ", ".join(_place(found, port) for port in sorted({port for _, port in found.places}))
    if found.is_own_network:
        advice = "say so (--port, containerPort), or listen on the port that the variable PORT says"
        return f"nothing listens on port {wanted}; its program listens on {others}: {advice}"
    return (
        f"nothing listens on port {wanted}, which the variable PORT says; its program listens on "
        f"{others}: listen on the port that PORT says"
    )


def _place(found: Listening, port: int) -> str:
    at = {address for address, number in found.places if number == port}
    is_hidden = found.is_own_network and all(map(_is_loopback, at))
    return f"port {port}{f' of {min(at)} alone' if is_hidden else ''}"


def _is_loopback(address: str) -> bool:
    found = ip_address(address)
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback

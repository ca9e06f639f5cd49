"""The few messages of rtnetlink(7) that pods' networks take, by hand: no program is started."""

from __future__ import annotations

import errno
import os
import socket
import struct
from ipaddress import IPv4Interface, IPv4Network

_NEWLINK, _DELLINK, _NEWADDR, _NEWROUTE, _DELROUTE, _NEWRULE, _DELRULE = 16, 17, 20, 24, 25, 32, 33
_REQUEST, _ACK, _EXCL, _CREATE = 1, 4, 0x200, 0x400
_HARDWARE, _IFNAME, _MTU, _MASTER, _LINKINFO, _NET_NS_FD = 1, 3, 4, 10, 18, 28
_KIND, _DATA, _PEER = 1, 2, 1
_UP = 1
_LOCAL, _ADDRESS = 2, 1
_GATEWAY, _OIF = 5, 4
_MAIN_TABLE, _PROTOCOL_BOOT, _UNICAST = 254, 3, 1
_DST, _IIFNAME, _PRIORITY, _TABLE = 1, 3, 6, 15  # of routes and rules alike
_HOST_SCOPE, _LOCAL_ROUTE, _TO_TABLE = 254, 2, 1
_ERROR = 2


class Netlink:
    """Speaks of the network namespace in which it was made; use as a context manager."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.settimeout(5)

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def add_bridge(self, name: str, ip: str, *, mtu: int) -> None:
        """Make a bridge; nothing where it is there."""
        info = _attribute(_LINKINFO, _text(_KIND, "bridge"))
        body = _link() + _text(_IFNAME, name) + _number(_MTU, mtu) + info
        body += _attribute(_HARDWARE, hardware_address(ip))
        self._ask(_NEWLINK, _CREATE | _EXCL, body, but=errno.EEXIST)

    def add_veth(self, ip: str, peer: str, *, peer_namespace: int, mtu: int) -> int:
        """Make a pair: eth0 here, its other end in another namespace; the index of this end."""
        other = _link() + _text(_IFNAME, peer) + _number(_MTU, mtu)
        other += _number(_NET_NS_FD, peer_namespace)
        info = _text(_KIND, "veth") + _attribute(_DATA, _attribute(_PEER, other))
        body = _link() + _text(_IFNAME, "eth0") + _number(_MTU, mtu) + _attribute(_LINKINFO, info)
        body += _attribute(_HARDWARE, hardware_address(ip))
        self._ask(_NEWLINK, _CREATE | _EXCL, body)
        return socket.if_nametoindex("eth0")

    def set_up(self, index: int, *, master: int = 0) -> None:
        """Switch an interface on, as a port of a bridge where one is named."""
        port = _number(_MASTER, master) if master else b""
        self._ask(_NEWLINK, 0, _link(index, _UP) + port)

    def add_address(self, index: int, interface: IPv4Interface) -> None:
        """Give an interface its address."""
        packed = interface.ip.packed
        head = struct.pack("=BBBBI", socket.AF_INET, interface.network.prefixlen, 0, 0, index)
        body = head + _attribute(_LOCAL, packed) + _attribute(_ADDRESS, packed)
        self._ask(_NEWADDR, _CREATE | _EXCL, body, but=errno.EEXIST)

    def add_default_route(self, gateway: str, index: int) -> None:
        """Send all else by this gateway."""
        head = struct.pack(
            "=8BI", socket.AF_INET, 0, 0, 0, _MAIN_TABLE, _PROTOCOL_BOOT, 0, _UNICAST, 0
        )
        body = head + _attribute(_GATEWAY, socket.inet_aton(gateway)) + _number(_OIF, index)
        self._ask(_NEWROUTE, _CREATE | _EXCL, body)

    def add_local_range(self, network: IPv4Network, table: int) -> None:
        """Call all addresses of a range this machine's own, in a table; nothing where it is so."""
        self._ask(_NEWROUTE, _CREATE | _EXCL, _local_range(network, table), but=errno.EEXIST)

    def delete_local_range(self, network: IPv4Network, table: int) -> None:
        """Take that back; nothing where it is not so."""
        self._ask(_DELROUTE, 0, _local_range(network, table), but=errno.ESRCH)

    def add_rule(self, came_by: str, network: IPv4Network, table: int, *, priority: int) -> None:
        """Have a table say where packets for a range go that came by an interface."""
        body = _rule(came_by, network, table, priority)
        self._ask(_NEWRULE, _CREATE | _EXCL, body, but=errno.EEXIST)

    def delete_rule(self, came_by: str, network: IPv4Network, table: int, *, priority: int) -> None:
        """Take that back; nothing where there is no such rule."""
        self._ask(_DELRULE, 0, _rule(came_by, network, table, priority), but=errno.ENOENT)

    def delete_link(self, name: str) -> None:
        """Remove an interface; nothing where there is none."""
        self._ask(_DELLINK, 0, _link() + _text(_IFNAME, name), but=errno.ENODEV)

    def _ask(self, kind: int, flags: int, body: bytes, *, but: int = 0) -> None:
        size = struct.calcsize("=IHHII") + len(body)
        head = struct.pack("=IHHII", size, kind, _REQUEST | _ACK | flags, 1, 0)
        self._socket.send(head + body)
        answer = self._socket.recv(65536)
        _, got, _, _, _, code = struct.unpack_from("=IHHIIi", answer)
        if got == _ERROR and code and -code != but:
            raise OSError(-code, os.strerror(-code))


def hardware_address(ip: str) -> bytes:
    """The same for the same address: who comes after a pod on it is not missed by neighbours."""
    return b"\x0a\x58" + socket.inet_aton(ip)


def _link(index: int = 0, flags: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, flags)


def _local_range(network: IPv4Network, table: int) -> bytes:
    head = _range(network, _PROTOCOL_BOOT, _HOST_SCOPE, _LOCAL_ROUTE)
    return head + _number(_OIF, socket.if_nametoindex("lo")) + _number(_TABLE, table)


def _rule(came_by: str, network: IPv4Network, table: int, priority: int) -> bytes:
    head = _range(network, 0, 0, _TO_TABLE) + _text(_IIFNAME, came_by)
    return head + _number(_PRIORITY, priority) + _number(_TABLE, table)


def _range(network: IPv4Network, protocol: int, scope: int, kind: int) -> bytes:
    """``struct rtmsg``, which ``struct fib_rule_hdr`` is like, and whereto."""
    words = (network.prefixlen, 0, 0, 0, protocol, scope, kind)
    head = struct.pack("=8BI", socket.AF_INET, *words, 0)
    return head + _attribute(_DST, network.network_address.packed)


def _attribute(kind: int, value: bytes) -> bytes:
    padding = b"\0" * (-len(value) % 4)
    return struct.pack("=HH", 4 + len(value), kind) + value + padding


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))

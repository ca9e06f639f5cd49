"""Leads what the containers of a bridge send to cluster IPs to this machine itself.

Two entries in the kernel's tables: a rule for packets that come in by that bridge, and a table of
its own that calls the whole range local. No other packet of the machine is concerned; nothing is
translated. Sockets get these packets if they are ``transparent``.
"""

from __future__ import annotations

import socket
import zlib
from ipaddress import IPv4Network

from hearth.cluster.node.netlink import Netlink

_IP_TRANSPARENT = 19  # linux/in.h
_PRIORITY = 10096
_FIRST_TABLE, _TABLES = 10_960_000, 1_000_000


class Routing:
    """The entries for one bridge."""

    def __init__(self, bridge: str, range_: IPv4Network) -> None:
        self._bridge = bridge
        self._range = range_
        self._table = _FIRST_TABLE + zlib.crc32(bridge.encode()) % _TABLES  # the same next time

    def add(self) -> None:
        """Makes the entries, unless they are there; raises OSError where that is not allowed."""
        with Netlink() as link:
            link.add_local_range(self._range, self._table)
            link.add_rule(self._bridge, self._range, self._table, priority=_PRIORITY)

    def remove(self) -> None:
        """Takes them back; raises OSError."""
        with Netlink() as link:
            link.delete_rule(self._bridge, self._range, self._table, priority=_PRIORITY)
            link.delete_local_range(self._range, self._table)


def transparent(kind: socket.SocketKind, bridge: str, address: tuple[str, int]) -> socket.socket:
    """A socket at an address that no interface has, for what comes by one bridge alone.

    Others may have the same address for another bridge. Raises OSError, PermissionError without
    CAP_NET_ADMIN.
    """
    sock = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bridge.encode())
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock

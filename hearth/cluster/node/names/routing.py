"""Leads what the containers of a bridge send to cluster IPs to this machine itself.

Two entries in the kernel's tables, told by rtnetlink(7): a rule for packets that come in by that
bridge, and a table of its own that calls the whole range local. No other packet of the machine is
concerned; nothing is translated. Sockets get these packets if they are ``transparent``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import zlib
from collections.abc import Iterator
from ipaddress import IPv4Network

_REQUEST, _ACK, _CREATE, _EXCLUSIVE = 0x1, 0x4, 0x400, 0x200  # linux/netlink.h
_ERROR = 2
_NEW_ROUTE, _DELETE_ROUTE, _NEW_RULE, _DELETE_RULE = 24, 25, 32, 33  # linux/rtnetlink.h
_RTA_DST, _RTA_OIF, _RTA_TABLE = 1, 4, 15
_FRA_DST, _FRA_IIFNAME, _FRA_PRIORITY, _FRA_TABLE = 1, 3, 6, 15  # linux/fib_rules.h
_TO_TABLE, _LOCAL, _STATIC, _HOST_SCOPE = 1, 2, 4, 254
_PRIORITY = 10096
_FIRST_TABLE, _TABLES = 10_960_000, 1_000_000
_IP_TRANSPARENT = 19  # linux/in.h


class Routing:
    """The entries for one bridge."""

    def __init__(self, bridge: str, range_: IPv4Network) -> None:
        self._bridge = bridge
        self._range = range_
        self._table = _FIRST_TABLE + zlib.crc32(bridge.encode()) % _TABLES  # the same next time

    def add(self) -> None:
        """Makes the entries, unless they are there; raises OSError where that is not allowed."""
        for kind, body in ((_NEW_ROUTE, self._route()), (_NEW_RULE, self._rule())):
            with _but_for(errno.EEXIST):
                _ask(kind, _CREATE | _EXCLUSIVE, body)

    def remove(self) -> None:
        """Takes them back."""
        for kind, body in ((_DELETE_RULE, self._rule()), (_DELETE_ROUTE, self._route())):
            with _but_for(errno.ENOENT, errno.ESRCH, errno.ENODEV):
                _ask(kind, 0, body)

    def _route(self) -> bytes:
        return self._head(0, _STATIC, _HOST_SCOPE, _LOCAL) + b"".join(
            (
                _attribute(_RTA_DST, self._range.network_address.packed),
                _attribute(_RTA_OIF, struct.pack("=I", socket.if_nametoindex("lo"))),
                _attribute(_RTA_TABLE, struct.pack("=I", self._table)),
            )
        )

    def _rule(self) -> bytes:
        return self._head(0, 0, 0, _TO_TABLE) + b"".join(
            (
                _attribute(_FRA_DST, self._range.network_address.packed),
                _attribute(_FRA_IIFNAME, self._bridge.encode() + b"\0"),
                _attribute(_FRA_PRIORITY, struct.pack("=I", _PRIORITY)),
                _attribute(_FRA_TABLE, struct.pack("=I", self._table)),
            )
        )

    def _head(self, *rest: int) -> bytes:
        """``struct rtmsg``, which ``struct fib_rule_hdr`` is like: the kind is its last octet."""
        length = self._range.prefixlen
        return struct.pack("=8BI", socket.AF_INET, length, 0, 0, *rest, 0)


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


def _attribute(kind: int, value: bytes) -> bytes:
    padding = -len(value) % 4
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(padding)


def _ask(kind: int, flags: int, body: bytes) -> None:
    """One request and its acknowledgement; raises OSError."""
    head = struct.pack("=IHHII", 16 + len(body), kind, _REQUEST | _ACK | flags, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        link.settimeout(5)
        link.bind((0, 0))
        link.send(head + body)
        told = link.recv(65536)
    (word,) = struct.unpack_from("=H", told, 4)
    (code,) = struct.unpack_from("=i", told, 16) if word == _ERROR else (0,)
    if code:
        raise OSError(-code, os.strerror(-code))


@contextlib.contextmanager
def _but_for(*numbers: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in numbers:
            raise

"""Ports for servers that a test starts by itself, or starts again.

Not of those that the system gives to connections: while nobody listens on one of these, a
connection to it may get it as its own port, and then be connected with itself.
"""

from __future__ import annotations

import random
import socket

_PORTS = range(10_000, 20_000)
"""Below those of pods on one machine, and of connections."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which nobody listens."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        return port


def free_ports(count: int) -> list[int]:
    """So many ports, each another one."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return list(found)

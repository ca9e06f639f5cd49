"""Ports for servers that a test starts by itself, or starts again.

Not of those that the system gives to connections: while nobody listens on one of these, a
connection to it may get it as its own port, and then be connected with itself.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator

_PORTS = range(10_000, 15_000)
"""Below those that Hearth chooses for itself, those of pods on one machine, and of connections."""


def own_ports(worker: str, workers: int) -> range:
    """The ports of one of pytest's workers ("gw1"); all, where there are none."""
    return _PORTS[int(worker.removeprefix("gw")) % workers :: workers] if worker else _PORTS


def _handed_out() -> Iterator[int]:
    """Each port once before any comes again: what was handed out may not be listened on yet."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    ports = list(own_ports(worker, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))
    random.Random(os.getpid()).shuffle(ports)
    while True:
        yield from ports


_ports = _handed_out()


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which nobody listens, and which nobody else in these tests is given."""
    while True:
        port = next(_ports)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        return port


def free_ports(count: int) -> list[int]:
    """So many ports, each another one."""
    return [free_port() for _ in range(count)]

"""10,000 keep-alive connections that say nothing, over HTTP/1.1: what each holds of memory.

Each has made one request. What the kernel holds for its sockets is not counted; the peer's memory
is taken in the same way.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import sys

from tests.bench.memory import resident
from tests.bench.peers import HOST, envoy, find_envoy
from tests.bench.rows import Row, row
from tests.bench.targets import Target, gateway, python

CONNECTIONS = 10_000
_REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: idle\r\n\r\n".encode()


def rows() -> list[Row]:
    """The table's rows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < CONNECTIONS + 1000:
        print(f"idle: skipped, {hard} open files are allowed (ulimit -n)", file=sys.stderr)
        return []
    # For the processes of this benchmark as well.
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with contextlib.ExitStack() as stack:
            app = stack.enter_context(python("tests.bench.warm_app"))
            ours = [each(stack.enter_context(gateway(app.port, 1))) for _ in range(3)]
            peers = {}
            binary = find_envoy()
            if binary is not None:
                peers["envoy"] = each(stack.enter_context(envoy(binary, app.port)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    name = f"memory of each of {CONNECTIONS:,} idle keep-alive connections"
    return [row(name, ours, "KB", at_most=6, peers=peers)]


def each(target: Target, count: int = CONNECTIONS) -> float:
    """KB that a process holds more for each connection."""
    with contextlib.ExitStack() as stack:
        # What the first ones need stays and is shared.
        for _ in range(100):
            _connected(stack, target.port)
        before = resident(target.pid)
        for _ in range(count):
            _connected(stack, target.port)
        return (resident(target.pid) - before) / count / 1000


def _connected(stack: contextlib.ExitStack, port: int) -> None:
    sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
    sock.sendall(_REQUEST)
    if not sock.recv(65536).startswith(b"HTTP/1.1 200 "):
        raise ConnectionError("no answer")

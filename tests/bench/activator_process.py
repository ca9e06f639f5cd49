"""One of several activators, without Kubernetes, for benchmarks and tests of sharing.

Usage: python -m tests.bench.activator_process GATEWAY_PORT PEERS_PORT LIMIT

Reads lines of JSON from stdin: ``{"pods": {"NAME": PORT}, "peers": ["host:port"]}``, what the
cluster lists. Prints a line once it takes requests for one revision behind any host of ``HOST``.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time

import uvloop

from activator.dataplane import DataPlane
from activator.endpoints import Endpoint, State
from activator.peers import Peers, PeersConfig
from activator.routes import BackendRef, RouteTableBuilder
from activator.targets import TargetSpec
from hearth.kube.tokens import Tokens
from tests.bench.gateway_process import HOST, REVISION, an_ingress


async def main(gateway_port: int, peers_port: int, limit: int) -> None:
    peers = Peers(PeersConfig("127.0.0.1", peers_port), Tokens("token"), time.monotonic)
    plane = DataPlane(wakers=[peers], sharing=peers)
    builder = RouteTableBuilder(plane.backends.resolve)
    builder.put(an_ingress(0, HOST))
    plane.gateway.publish(builder.snapshot())
    backend = plane.backends.resolve(BackendRef("default", REVISION, 80, REVISION))
    backend.configure(TargetSpec("default", REVISION, container_concurrency=limit))
    await peers.start()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    def take(line: bytes) -> None:
        listed = json.loads(line)
        peers.listed(frozenset(listed["peers"]))
        pods = {("127.0.0.1", port): name for name, port in listed["pods"].items()}
        backend.update_endpoints(
            {address: Endpoint(address, State.READY, name) for address, name in pods.items()}
        )

    take(await reader.readline())
    await peers.settled()
    await plane.listen("127.0.0.1", gateway_port, internal=False)
    print("ready", flush=True)
    ending = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ending.set)
    following = asyncio.create_task(_follow(reader, take))
    await ending.wait()
    peers.leave()
    await plane.drain(delay_seconds=0.2, drain_seconds=5.0)
    following.cancel()
    await peers.close()


async def _follow(reader: asyncio.StreamReader, take: object) -> None:
    while line := await reader.readline():
        take(line)  # type: ignore[operator]


if __name__ == "__main__":
    uvloop.run(main(*map(int, sys.argv[1:4])))

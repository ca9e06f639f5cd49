"""Cold start: a request for a service at zero, against the bare start of the same process.

The figure is what Hearth adds: time to answer minus what the application's own process needs from
its start until it listens, both measured in this run.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import aiohttp

from hearth.knative.resources import KSERVICES
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.resources import PODS
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, percentile, row
from tests.bench.services import a_service
from tests.ports import free_port

SERVICES = 30
_SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "hello" / "server.py"


def start_to_listen() -> float:
    """Seconds from spawning the sample's process until it accepts a connection."""
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", str(_SAMPLE)],
        env={"PORT": str(port), "PATH": os.defpath},
        stdout=subprocess.DEVNULL,
    )
    try:
        while True:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    return time.perf_counter() - began
            time.sleep(0.0005)
    finally:
        process.kill()
        process.wait()


async def _asleep(pods: WatchCache) -> None:
    quiet = asyncio.Event()

    def changed(_old: object, _new: object) -> None:
        if not len(pods):
            quiet.set()

    pods.on_change(changed)
    async with asyncio.timeout(120):
        if len(pods):
            await quiet.wait()


async def _measure(kubeconfig: Path, port: int) -> list[float]:
    async with KubeClient.from_kubeconfig(kubeconfig) as client, aiohttp.ClientSession() as http:
        pods = WatchCache(client, PODS)
        watching = asyncio.create_task(pods.run())
        await pods.synced()
        for number in range(SERVICES):
            await client.create(KSERVICES, a_service(f"cold-{number}"))
        while len(pods) < SERVICES:
            await asyncio.sleep(0.05)
        await _asleep(pods)
        took = []
        for number in range(SERVICES):
            host = {"Host": f"cold-{number}.default.localhost:{port}"}
            began = time.perf_counter()
            async with http.get(f"http://127.0.0.1:{port}/", headers=host) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"cold request answered {answer.status}")
            took.append(time.perf_counter() - began)
            await asyncio.sleep(0.1)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return took


def rows() -> list[Row]:
    bare = [start_to_listen() * 1000 for _ in range(SERVICES)]
    with RunningHearth() as hearth:
        cold = [s * 1000 for s in asyncio.run(_measure(hearth.kubeconfig, hearth.port))]
    own = statistics.median(bare)
    return [
        row("cold start beyond the process's own start", [c - own for c in cold], "ms", at_most=30),
        row("cold start, whole", cold, "ms", peers={"process start to listen": own}),
        row("cold start, whole, p95 of 30", [percentile(cold, 0.95)], "ms"),
    ]

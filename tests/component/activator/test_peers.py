"""Whole activators find each other by the EndpointSlices of their Service, and notice an end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object
from hearth.kube.resources import ENDPOINTSLICES
from serving.install import install
from tests.ports import free_port

SECONDS = 60.0
PROGRAM = """
import sys
from pathlib import Path
from activator.main import ActivatorConfig, run
from activator.peers import PeersConfig
from hearth.process import ProcessConfig, run_process

kubeconfig, metrics, peers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
config = ActivatorConfig(
    kubeconfig=kubeconfig, port=0, internal_port=0, name=f"activator-{peers}", drain_seconds=1.0,
    stats_token="token", peers=PeersConfig("127.0.0.1", peers),
)
told = lambda: print("ready", flush=True)
process = ProcessConfig("activator", metrics_port=metrics)
sys.exit(run_process(lambda ready: run(config, told), process))
"""


@dataclass
class Activator:
    process: Process
    metrics_port: int
    peers_port: int

    async def peers(self, http: aiohttp.ClientSession) -> int:
        async with http.get(f"http://127.0.0.1:{self.metrics_port}/metrics") as response:
            lines = (await response.text()).splitlines()
        return next(
            int(float(x.split()[1])) for x in lines if x.startswith("hearth_activator_peers ")
        )


@contextlib.asynccontextmanager
async def running(kubeconfig: Path, peers_port: int) -> AsyncIterator[Activator]:
    metrics_port = free_port()
    arguments = [str(kubeconfig), str(metrics_port), str(peers_port)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Activator(process, metrics_port, peers_port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def a_slice(*ports: int) -> list[Object]:
    """One for each port: processes of one machine share an address."""
    return [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"hearth-activator-peers-{port}",
                "namespace": "knative-serving",
                "labels": {"kubernetes.io/service-name": "hearth-activator-peers"},
            },
            "addressType": "IPv4",
            "ports": [{"name": "peers", "port": port, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": False}}],
        }
        for port in ports
    ]


async def until_peers(activator: Activator, http: aiohttp.ClientSession, wanted: int) -> None:
    seen = -1
    try:
        async with asyncio.timeout(SECONDS):
            while (seen := await activator.peers(http)) != wanted:
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited for {wanted} peers, last seen {seen}") from None


async def ready(activator: Activator) -> None:
    assert activator.process.stdout is not None
    async with asyncio.timeout(SECONDS):
        assert await activator.process.stdout.readline() == b"ready\n"


async def test_activators_find_each_other_and_notice_who_is_gone(tmp_path: Path) -> None:
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
        aiohttp.ClientSession() as http,
        contextlib.AsyncExitStack() as stack,
    ):
        await install(client)
        ports = [free_port() for _ in range(3)]
        for endpoint_slice in a_slice(*ports):
            await client.create(ENDPOINTSLICES, endpoint_slice)
        three = [
            await stack.enter_async_context(running(server.kubeconfig, port)) for port in ports
        ]
        for activator in three:
            await ready(activator)
        for activator in three:
            await until_peers(activator, http, 2)
        killed, ended, last = three
        killed.process.kill()
        await until_peers(last, http, 1)
        ended.process.send_signal(signal.SIGTERM)
        await until_peers(last, http, 0)
        async with asyncio.timeout(SECONDS):
            assert await ended.process.wait() == 0

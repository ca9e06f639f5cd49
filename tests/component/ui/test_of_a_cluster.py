"""``hearth ui --kubeconfig``: the command itself, before an API server that is not its own."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.kube.client import KubeClient
from hearth.kube.resources import NAMESPACES, SERVICEACCOUNTS
from serving import install as serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEAD = {"host": "hearth.localhost", "x-hearth-page": "1"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningServer]:
    async with running_apiserver(tmp_path_factory.mktemp("cluster")) as running:
        async with KubeClient.from_kubeconfig(running.kubeconfig) as client:
            await serving.install(client)
        yield running


@asynccontextmanager
async def command(kubeconfig: Path, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = ("ui", "--no-browser", "--kubeconfig", str(kubeconfig), *options)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hearth.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    yield process
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
    await process.communicate()


async def address(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """Where the page is, and the code."""
    assert process.stdout is not None
    while not (line := (await process.stdout.readline()).decode()).startswith("http://"):
        assert line
    base, _, code = line.strip().partition("/#")
    return base.replace("hearth.localhost", "127.0.0.1"), code


async def test_the_page_of_a_cluster_is_served_until_ctrl_c(server: RunningServer) -> None:
    async with command(server.kubeconfig) as process:
        base, code = await address(process)
        async with aiohttp.ClientSession(base, cookie_jar=aiohttp.DummyCookieJar()) as http:
            async with http.post("/login", json={"code": code}, headers=HEAD) as answer:
                assert await answer.json() == {"role": "writer"}
                cookies = {name: each.value for name, each in answer.cookies.items()}
            async with http.get("/api/me", headers=HEAD, cookies=cookies) as answer:
                assert (await answer.json())["place"].startswith("cluster: ")
            async with http.get("/api/stream", headers=HEAD, cookies=cookies) as answer:
                told = b""
                while b"no activator" not in told:
                    told = await answer.content.readline()
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            assert await process.wait() == 130


async def test_a_readers_page_asks_as_somebody_who_may_only_look(server: RunningServer) -> None:
    async with command(server.kubeconfig, "--read-only") as process:
        _, said = await process.communicate()
        assert process.returncode == 1
        assert "no ServiceAccount knative-serving/hearth-page-reader" in said.decode()
        assert "hearth install" in said.decode()
    async with KubeClient.from_kubeconfig(server.kubeconfig) as client:
        space = {"metadata": {"name": "knative-serving"}}
        await client.apply(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", **space},
                           field_manager="test")  # fmt: skip
        account = {"name": "hearth-page-reader", "namespace": "knative-serving"}
        await client.create(SERVICEACCOUNTS, {"metadata": account})
    async with command(server.kubeconfig, "--read-only") as process:
        base, code = await address(process)
        async with aiohttp.ClientSession(base, cookie_jar=aiohttp.DummyCookieJar()) as http:
            async with http.post("/login", json={"code": code}, headers=HEAD) as answer:
                assert await answer.json() == {"role": "reader"}
                cookies = {name: each.value for name, each in answer.cookies.items()}
            async with http.post("/api/traffic", json={}, headers=HEAD, cookies=cookies) as answer:
                assert answer.status == 403

"""``hearth run`` as a pod runs it: a process of its own, against an API server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from eventing import install as eventing_install
from hearth.cli.run import CannotRun, check_folder
from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from hearth.kube.resources import (
    LEASES,
    MUTATING_WEBHOOKS,
    SECRETS,
    SERVICES,
)
from serving import install as serving_install
from tests.ports import free_port

WAIT_SECONDS = 60


@dataclass(slots=True)
class Pod:
    """One component as a process; its log is read as it comes."""

    process: asyncio.subprocess.Process
    ports: Mapping[str, int]
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def probe(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.ports['HEALTH']}{path}"
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            return answer.status, await answer.text()

    async def is_ready(self) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                assert self.process.returncode is None, self.lines
                with contextlib.suppress(aiohttp.ClientError):
                    if (await self.probe("/readyz"))[0] == 200:
                        return
                await asyncio.sleep(0.02)

    async def ended(self) -> int:
        async with asyncio.timeout(WAIT_SECONDS):
            return await self.process.wait()

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.lines.append({"message": line.decode()})


PORTS = (
    *("METRICS", "HEALTH", "GATEWAY", "INTERNAL", "PEERS"),
    *("WEBHOOK", "EVENTING_WEBHOOK", "STATS", "BROKER", "BROKER_ADMIN"),
)


@contextlib.asynccontextmanager
async def running(
    component: str, folder: Path, *, kubeconfig: Path | None = None, **settings: str
) -> AsyncIterator[Pod]:
    """A component on free ports; killed at the end if it still runs."""
    ports = {name: free_port() for name in PORTS}
    environment = {
        **{name: value for name, value in os.environ.items() if name != "KUBECONFIG"},
        "POD_NAME": f"{component}-0",
        "POD_IP": "127.0.0.1",
        "HOME": str(folder),
        "HEARTH_HOST": "127.0.0.1",
        "HEARTH_CONTROL_HOST": "127.0.0.1",
        "HEARTH_DATA_DIR": str(folder),
        "HEARTH_DRAIN_DELAY_SECONDS": "0",
        **{f"HEARTH_{name}_PORT": str(port) for name, port in ports.items()},
        **({} if kubeconfig is None else {"KUBECONFIG": str(kubeconfig)}),
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hearth.cli",
        "run",
        component,
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    pod = Pod(process, ports)
    reading = asyncio.create_task(pod._read())
    try:
        yield pod
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


@contextlib.asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[tuple[RunningServer, KubeClient]]:
    """An API server with what the installation puts in: kinds, ConfigMaps, empty Secrets."""
    async with (
        running_apiserver(folder / "api") as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await serving_install.install(client)
        await eventing_install.install(client)
        for name in ("hearth-webhook-certs", "hearth-stats"):
            await client.create(SECRETS, secret(name))
        yield server, client


def secret(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "knative-serving"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}


async def registered(client: KubeClient) -> dict[str, Any]:
    """The defaulting webhook of serving, once whoever leads has registered it."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            with contextlib.suppress(NotFound):
                found = await client.get(MUTATING_WEBHOOKS, "webhook.serving.knative.dev")
                hook: dict[str, Any] = found["webhooks"][0]
                return hook
            await asyncio.sleep(0.02)


async def test_control_becomes_ready_and_ends_in_order(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (server, client):
        async with running("control", tmp_path, kubeconfig=server.kubeconfig) as pod:
            await pod.is_ready()
            assert await pod.probe("/healthz") == (200, "ok")
            certificates = await client.get(SECRETS, "hearth-webhook-certs", "knative-serving")
            token = await client.get(SECRETS, "hearth-stats", "knative-serving")
            hook = await registered(client)
            pod.process.send_signal(signal.SIGTERM)
            assert await pod.ended() == 0
        leases, _ = await client.list(LEASES, "knative-serving")
        gateways, _ = await client.list(SERVICES, "knative-serving")
    assert len(base64.b64decode(token["data"]["token"])) > 30
    assert hook["clientConfig"] == {
        "service": {
            "name": "hearth-webhook",
            "namespace": "knative-serving",
            "path": "/defaulting",
            "port": 443,
        },
        "caBundle": certificates["data"]["ca-cert.pem"],
    }
    assert gateways == []  # the installation's, not the component's
    assert [lease["spec"].get("holderIdentity") or "" for lease in leases] == [""]


async def test_readiness_goes_before_listeners(tmp_path: Path) -> None:
    async with (
        cluster(tmp_path) as (server, _),
        running(
            "broker", tmp_path, kubeconfig=server.kubeconfig, HEARTH_DRAIN_DELAY_SECONDS="60"
        ) as pod,
    ):
        await pod.is_ready()
        pod.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WAIT_SECONDS):
            while await pod.probe("/readyz") != (503, "draining"):
                await asyncio.sleep(0.01)
        assert (await pod.probe("/healthz"))[0] == 200
        broker = f"http://127.0.0.1:{pod.ports['BROKER']}/default/none"
        async with aiohttp.ClientSession() as http, http.post(broker) as answer:
            assert answer.status >= 400  # refused, and not by the kernel
        pod.process.send_signal(signal.SIGTERM)  # told twice, it does not wait
        assert await pod.ended() == 0


async def test_an_activator_waits_for_the_token_that_control_makes(tmp_path: Path) -> None:
    async with (
        cluster(tmp_path) as (server, client),
        running("activator", tmp_path, kubeconfig=server.kubeconfig) as pod,
    ):
        async with asyncio.timeout(WAIT_SECONDS):
            while not any(line["message"] == "waiting for a token" for line in pod.lines):
                await asyncio.sleep(0.02)
        assert await pod.probe("/readyz") == (503, "starting")
        filled = {"data": {"token": base64.b64encode(b"secret").decode()}}
        await client.patch(SECRETS, "hearth-stats", "knative-serving", filled)
        await pod.is_ready()
        metrics = f"http://127.0.0.1:{pod.ports['METRICS']}/metrics"
        async with aiohttp.ClientSession() as http, http.get(metrics) as answer:
            assert "kn_" in await answer.text()


async def said(folder: Path, *, kubeconfig: Path | None, **settings: str) -> tuple[int, str]:
    """How a component ends by itself, and its last word."""
    async with running("control", folder, kubeconfig=kubeconfig, **settings) as pod:
        code = await pod.ended()
    return code, pod.lines[-1]["message"]


async def test_without_its_kinds_it_says_how_to_put_them_in(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path / "api") as server:
        code, words = await said(tmp_path, kubeconfig=server.kubeconfig)
    assert code == 78
    assert "serving.knative.dev are not in this cluster: `hearth install`" in words


async def test_a_refused_token_is_said(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path / "api") as server:
        text = server.kubeconfig.read_text().replace(server.token, "wrong")
        (tmp_path / "config").write_text(text)
        code, words = await said(tmp_path, kubeconfig=tmp_path / "config")
    assert code == 77
    assert "does not know who we are" in words


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({}, "no cluster: KUBECONFIG is not set", id="no cluster"),
        pytest.param({"POD_NAME": "", "KUBECONFIG": "/x"}, "POD_NAME is not set", id="no name"),
        pytest.param(
            {"HEARTH_STATS_PORT": "x", "KUBECONFIG": "/x"}, "HEARTH_STATS_PORT", id="no number"
        ),
    ],
)
async def test_what_is_set_wrongly_is_named(
    tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    code, said_words = await said(tmp_path, kubeconfig=None, **settings)
    assert code == 78
    assert words in said_words


def test_a_folder_that_takes_no_files_is_told_of(tmp_path: Path) -> None:
    check_folder(tmp_path / "is" / "made")
    (tmp_path / "file").touch()
    with pytest.raises(CannotRun, match="file cannot be written to by user") as refused:
        check_folder(tmp_path / "file" / "below")
    assert refused.value.exit_code == 78


# -- the entry point -------------------------------------------------------------------------------


def test_a_component_starts_without_the_command_lines_library() -> None:
    program = """
import sys, hearth.cli.run
from hearth.cli.__main__ import run
hearth.cli.run.run = lambda name, environment: print(name, "typer" in sys.modules)
sys.argv = ["hearth", "run", "activator"]
run()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "activator False\n")


def test_a_component_that_is_none_is_told() -> None:
    command = [sys.executable, "-m", "hearth.cli", "run", "actuator"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "No such command 'actuator'" in done.stderr

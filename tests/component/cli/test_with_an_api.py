"""Commands that ask the Kubernetes API of a Hearth: what they find, and what they say if not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from eventing import install as eventing
from hearth.cli import main
from hearth.cli.errors import UserError
from hearth.cli.state import process_start, write_state
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.knative.resources import BROKERS, KSERVICES
from hearth.kube.client import KubeClient
from serving import install as serving


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[KubeClient]:
    """A client of an API server whose state folder says that a Hearth runs: this process."""
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await serving.install(client)
        await eventing.install(client)
        state: dict[str, Any] = {
            "name": "default",
            "pid": os.getpid(),
            "started": process_start(os.getpid()),
            "kubeconfig": str(server.kubeconfig),
            "gateway": "http://localhost:1",
            "host": "127.0.0.1",
            "api": server.url,
            "ports": {},
            "components": {},
        }
        write_state(tmp_path, state)
        yield client


async def hearth(folder: Path, *arguments: str) -> Result:
    """Runs a command in a thread, because it has an event loop of its own."""
    command = [*arguments, "--data-dir", str(folder)]
    return await asyncio.to_thread(CliRunner().invoke, main.app, command)


def complaint(result: Result) -> str:
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def a_service(name: str) -> dict[str, Any]:
    template = {"spec": {"containers": [{"image": "app"}]}}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": template},
    }


def a_broker(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {"name": "default", "namespace": "default"},
        "spec": {},
        "status": status,
    }


async def test_logs_of_a_service_that_is_not_there(client: KubeClient, tmp_path: Path) -> None:
    said = complaint(await hearth(tmp_path, "logs", "nobody", "-n", "elsewhere"))
    assert "no service 'nobody' in namespace 'elsewhere'" in said


async def test_logs_of_a_service_at_zero(client: KubeClient, tmp_path: Path) -> None:
    await client.create(KSERVICES, a_service("hello"))
    result = await hearth(tmp_path, "logs", "hello")
    assert result.exit_code == 0
    assert "No pod of hello runs (it may sleep at zero)" in result.stderr


async def test_an_event_for_a_broker_that_is_not_there(client: KubeClient, tmp_path: Path) -> None:
    said = complaint(await hearth(tmp_path, "event", "send", "--to", "shop/orders"))
    assert "no broker 'orders' in namespace 'shop'" in said


async def test_an_event_for_a_broker_that_is_not_ready(client: KubeClient, tmp_path: Path) -> None:
    await client.create(BROKERS, a_broker())
    said = complaint(await hearth(tmp_path, "event", "send"))
    assert "broker 'default' is not ready yet" in said


async def test_an_event_goes_to_the_address_of_the_broker(
    client: KubeClient, tmp_path: Path
) -> None:
    taken: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        made = await client.create(BROKERS, a_broker())
        address = {"address": {"url": f"http://127.0.0.1:{port}/default/default"}}
        await client.update_status(BROKERS, {**made, "status": address})
        result = await hearth(tmp_path, "event", "send", "--type", "order.created")
    assert result.exit_code == 0, result.output
    assert [head.splitlines()[0] for head in taken] == [b"POST /default/default HTTP/1.1"]


async def test_status_lists_services(client: KubeClient, tmp_path: Path) -> None:
    await client.create(KSERVICES, a_service("hello"))
    result = await hearth(tmp_path, "status")
    assert result.exit_code == 0, result.output
    assert "hello" in result.output
    assert "supervisor" in result.output

"""Connections that never finish a request are closed; those that wait for an answer are not."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.cluster.rest.connections import Connection
from hearth.kube.client import KubeClient
from hearth.kube.resources import CONFIGMAPS


async def connect(server: RunningServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    port = int(server.url.rpartition(":")[2])
    context = ssl.create_default_context(cafile=str(server.ca_cert))
    return await asyncio.open_connection("127.0.0.1", port, ssl=context)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /version HTTP/1.1\r\nHost: localhost\r\n", id="half a head"),
        pytest.param(
            b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\nGET /version", id="half a second head"
        ),
    ],
)
async def test_a_head_that_never_ends_ends_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(Connection, "head_seconds", 0.1)
    async with running_apiserver(tmp_path) as server:
        reader, writer = await connect(server)
        writer.write(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()
        assert answer.count(b"HTTP/1.1 200 OK") == sent.count(b"\r\n\r\n")
        writer.close()


async def test_a_watch_may_take_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "head_seconds", 0.1)
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        _, version = await client.list(CONFIGMAPS, "default")
        events = client.watch(CONFIGMAPS, "default", resource_version=version)
        first = asyncio.ensure_future(anext(aiter(events)))
        reader, writer = await connect(server)
        await reader.read()  # the limit has passed for a connection that says nothing
        writer.close()
        metadata = {"name": "late", "namespace": "default"}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        await client.create(CONFIGMAPS, body)
        async with asyncio.timeout(10):
            assert (await first).object["metadata"]["name"] == "late"

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
        async with asyncio.timeout(60):
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
        async with asyncio.timeout(60):
            assert (await first).object["metadata"]["name"] == "late"


async def answers(reader: asyncio.StreamReader, count: int) -> list[bytes]:
    """The bodies of that many answers."""
    bodies = []
    for _ in range(count):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        size = next(int(line[15:]) for line in head.split(b"\r\n") if b"content-length" in line)
        bodies.append(await reader.readexactly(size))
    return bodies


async def test_an_upgrade_that_nobody_knows_is_none(tmp_path: Path) -> None:
    """As clients of Java ask for HTTP/2 with each first request; what comes behind it is HTTP."""
    asking = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    request = b"GET /version HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
    async with running_apiserver(tmp_path) as server:
        reader, writer = await connect(server)
        pieces = [request % asking, request % b"", request % asking, request % b""]
        writer.write(b"".join(pieces[:3]) + pieces[3][:10])
        async with asyncio.timeout(60):
            bodies = await answers(reader, 3)
            writer.write(pieces[3][10:])
            bodies += await answers(reader, 1)
        assert len(set(bodies)) == 1 and b"gitVersion" in bodies[0]
        writer.close()
        await writer.wait_closed()

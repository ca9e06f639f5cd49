"""Probes and hooks against real servers on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import Handler, PodSpec, parse_pod
from hearth.cluster.node.probes.handlers import Outcome, Target, run_handler
from hearth.cluster.node.runtime.api import ExecResult, Instance
from hearth.cluster.node.runtime.processes.commands import run_command

POD: PodSpec = parse_pod(
    {
        "metadata": {"name": "p", "namespace": "d", "uid": "u"},
        "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80, "name": "http"}]}]},
    }
)


@contextlib.asynccontextmanager
async def answering(answer: bytes, *, close: bool = True) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that sends one answer to whatever it is sent."""
    heard: list[bytes] = []
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        heard.append(await reader.read(65536))
        writer.write(answer)
        if not close:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard
        await asyncio.sleep(0)  # a connection just made gets its task
        while any(not task.done() for task in serving):
            await asyncio.wait(serving)


class Commands:
    """Runs a command on this machine, as an instance does."""

    async def exec(self, command: Sequence[str], *, timeout: float) -> ExecResult:
        return await run_command(command, env={"PATH": os.defpath}, cwd="/", timeout=timeout)


async def ask(handler: Handler, port: int, timeout: float = 60.0) -> Outcome:
    network = PodNetwork(ports={80: port})
    target = Target(POD.containers[0], network, cast(Instance, Commands()))
    return await run_handler(handler, target, timeout=timeout)


@pytest.mark.parametrize(
    ("line", "is_success", "message"),
    [
        (b"200 OK", True, ""),
        (b"302 Found", True, ""),
        (b"399", True, ""),
        (b"400 Bad Request", False, "HTTP probe failed with statuscode: 400"),
        (b"503 Unavailable", False, "HTTP probe failed with statuscode: 503"),
    ],
)
async def test_http(line: bytes, is_success: bool, message: str) -> None:
    async with answering(b"HTTP/1.1 " + line + b"\r\n\r\n") as (port, _):
        found = await ask(Handler("httpGet", port=80, path="/x"), port)
    assert found == Outcome(is_success, message)


async def test_an_http_probe_says_who_it_is() -> None:
    handler = Handler(
        "httpGet", port="http", path="ready", headers=(("Host", "example.com"), ("X-A", "b"))
    )
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n") as (port, heard):
        assert (await ask(handler, port)).is_success
    request = heard[0].decode()
    assert request.startswith("GET /ready HTTP/1.1\r\n")
    assert "Host: example.com\r\n" in request and "127.0.0.1" not in request
    assert "User-Agent: kube-probe/" in request and "X-A: b\r\n" in request


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n", b"x" * 100_000])
async def test_what_is_not_http(answer: bytes) -> None:
    async with answering(answer) as (port, _):
        assert not (await ask(Handler("httpGet", port=80), port)).is_success


@pytest.mark.parametrize("kind", ["httpGet", "tcpSocket", "grpc"])
async def test_nobody_listens(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found = await ask(Handler(kind, port=80), port)
    assert not found.is_success
    assert f"dial tcp 127.0.0.1:{port}: connect: connection refused" in found.message


@pytest.mark.parametrize("kind", ["httpGet", "grpc"])
async def test_nobody_answers(kind: str) -> None:
    async with answering(b"", close=False) as (port, _):
        found = await ask(Handler(kind, port=80), port, timeout=0.1)
    assert not found.is_success
    assert "deadline exceeded" in found.message or "did not complete within 0.1s" in found.message


async def test_tcp() -> None:
    async with answering(b"") as (port, _):
        assert await ask(Handler("tcpSocket", port="http"), port) == Outcome(True)


async def test_grpc() -> None:
    body = b"\x00\x00\x00\x00\x02\x08\x01"
    settings = b"\0\0\0\x04" + bytes(5)
    data = struct.pack(">I", len(body))[1:] + b"\0\0\0\0\0\x01" + body
    async with answering(settings + data) as (port, heard):
        assert (await ask(Handler("grpc", port=80, service="s"), port)).is_success
    assert heard[0].startswith(b"PRI * HTTP/2.0")


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        (("true",), Outcome(True, "exit status 0")),
        (("sh", "-c", "echo bad; exit 2"), Outcome(False, "bad")),
        (("sh", "-c", "exit 2"), Outcome(False, "exit status 2")),
        (("no-program",), Outcome(False, 'exec: "no-program": not found in $PATH')),
        (("sleep", "1000"), Outcome(False, 'command "sleep 1000" timed out after 0.2s')),
    ],
)
async def test_exec(command: tuple[str, ...], outcome: Outcome) -> None:
    seconds = 0.2 if "sleep" in command else 60
    assert await ask(Handler("exec", command=command), 0, timeout=seconds) == outcome


async def test_a_port_that_does_not_exist() -> None:
    found = await ask(Handler("tcpSocket", port="metrics"), 1)
    assert found == Outcome(False, "couldn't find port: metrics for pod")

"""The sample services, as programs: HTTP as clients speak it, CloudEvents, the end by SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

SAMPLES = Path(__file__).resolve().parents[3] / "samples"


class Service:
    """One running sample."""

    def __init__(self, name: str, **env: str) -> None:
        self.port = free_port()
        argv = [sys.executable, "-S", "-E", str(SAMPLES / name / "server.py")]
        full = {"PATH": os.environ["PATH"], "PORT": str(self.port), **env}
        self.process = subprocess.Popen(argv, env=full, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def ask(self, data: bytes) -> bytes:
        """One request on a connection of its own; the whole answer."""
        async with asyncio.timeout(60), self.connected() as (reader, writer):
            writer.write(data)
            return await reader.read()

    async def post(self, headers: dict[str, str], body: bytes = b"") -> tuple[int, str, bytes]:
        lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        answer = await self.ask((head + lines + "\r\n").encode() + body)
        top, _, rest = answer.partition(b"\r\n\r\n")
        return int(top.split()[1]), top.decode(), rest

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def services() -> Iterator[Any]:
    running: list[Service] = []

    def start(name: str, **env: str) -> Service:
        running.append(Service(name, **env))
        return running[-1]

    yield start
    for service in running:
        service.close()


async def answer_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return head, await reader.readexactly(length)


async def test_hello_keeps_the_connection(services: Any) -> None:
    service = services("hello", TARGET="You")
    async with asyncio.timeout(60), service.connected() as (reader, writer):
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head, body = await answer_of(reader)
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert body == b"Hello You!\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", id="HTTP/1.0"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", id="close"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            id="chunked",
        ),
    ],
)
async def test_hello_closes_when_asked(services: Any, data: bytes) -> None:
    answer = await services("hello").ask(data)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\nHello World!\n")


async def test_pipelined_requests_and_bodies(services: Any) -> None:
    one = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    last = b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await services("hello").ask(one * 3 + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 4
    assert answer.count(b"Hello World!") == 3


async def test_expectations(services: Any) -> None:
    async with asyncio.timeout(60), services("hello").connected() as (reader, writer):
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert (await answer_of(reader))[1] == b"Hello World!\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 70000 + b"\r\n\r\n", 431),
    ],
)
async def test_broken_requests_are_refused(services: Any, data: bytes, status: int) -> None:
    answer = await services("hello").ask(data)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in answer


async def test_a_request_is_finished_before_the_end(services: Any) -> None:
    service = services("hello", DELAY="0.3")
    async with asyncio.timeout(60), service.connected() as (reader, writer):
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
        writer.write(head)
        assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")  # it is in work
        service.process.terminate()
        writer.write(b"x")
        _, body = await answer_of(reader)
        assert body == b"Hello World!\n"
    assert await asyncio.to_thread(service.process.wait, 10) == 0


async def test_requests_run_side_by_side(services: Any) -> None:
    service = services("hello", DELAY="0.3")
    data = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answers = await asyncio.gather(*(service.ask(data) for _ in range(20)))
    assert all(a.endswith(b"Hello World!\n") for a in answers)
    at_once = [int(re.findall(rb"X-Requests-In-Flight: (\d+)", a)[0]) for a in answers]
    assert max(at_once) > 1


# -- CloudEvents --------------------------------------------------------------------------------

EVENT = {"specversion": "1.0", "id": "a 1", "source": "/s", "type": "t"}
BINARY = {f"ce-{k}": v.replace(" ", "%20") for k, v in EVENT.items()}
JSON = {"Content-Type": "application/json"}


async def received(service: Service) -> list[dict[str, Any]]:
    answer = await service.ask(b"GET /received HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    events: list[dict[str, Any]] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return events


async def test_events_in_every_mode(services: Any) -> None:
    service = services("events")
    assert (await service.post(BINARY | JSON, b'{"x": 1}'))[0] == 202
    structured = {"Content-Type": "application/cloudevents+json"}
    assert (await service.post(structured, json.dumps(EVENT | {"data": 2}).encode()))[0] == 202
    batch = {"Content-Type": "application/cloudevents-batch+json"}
    assert (await service.post(batch, json.dumps([EVENT, EVENT]).encode()))[0] == 202
    events = await received(service)
    assert [entry["data"] for entry in events] == [{"x": 1}, 2, None, None]
    assert all(entry["received"]["id"] == "a 1" for entry in events)
    assert json.loads(service.process.stdout.readline()) == events[0]


async def test_a_reply_is_an_event(services: Any) -> None:
    service = services("events", REPLY_TYPE="answer")
    status, head, body = await service.post(BINARY | JSON, b'{"x": 1}')
    assert (status, json.loads(body)) == (200, {"x": 1})
    assert "ce-type: answer\r\n" in head and "ce-id: a%201-reply\r\n" in head


async def test_a_status_to_order(services: Any) -> None:
    assert (await services("events", STATUS="503").post(BINARY))[0] == 503


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({"ce-specversion": "1.0", "ce-id": "1"}, b""),
        ({"Content-Type": "application/cloudevents+json"}, b"{"),
        ({"Content-Type": "application/cloudevents+json"}, b"[]"),
        (BINARY | JSON, b"{"),
    ],
)
async def test_what_is_no_event(services: Any, headers: dict[str, str], body: bytes) -> None:
    assert (await services("events").post(headers, body))[0] == 400

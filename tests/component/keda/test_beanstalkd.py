"""beanstalkd, against beanstalkd."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from hearth.keda.scalers.seam import Reading, ScalerError
from tests.component.keda import databases
from tests.component.keda.databases import Stoppable
from tests.component.keda.scaling import read, scaler, trigger
from tests.ports import free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stoppable]:
    with databases.beanstalkd(tmp_path_factory.mktemp("beanstalkd")) as running:
        yield running


async def say(server: Stoppable, *commands: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for command in commands:
        writer.write(f"{command}\r\n".encode())
        assert b"NOT_FOUND" not in await reader.readline()
    writer.close()
    await writer.wait_closed()


def tube(name: str, port: int, **said: str):
    return trigger("beanstalkd", server=f"127.0.0.1:{port}", tube=name, value="5", **said)


async def test_jobs_that_are_ready_or_reserved_are_counted_and_delayed_ones_if_asked_for(server):
    ready, delayed = "put 0 0 60 1\r\nx", "put 0 600 60 1\r\nx"
    async with scaler(tube("one", server.port, activationValue="1")) as made:
        assert await made.read() == Reading(0, False)  # there is no such tube yet
        await say(server, "use one", ready, delayed)
        assert await made.read() == Reading(1, False)
        await say(server, "use one", ready)
        assert await made.read() == Reading(2, True)
    assert (await read(tube("one", server.port, includeDelayed="true"))).value == 3


async def test_a_server_that_is_away():
    with pytest.raises(ScalerError, match="error interacting with beanstalkd: "):
        await read(tube("one", free_port()))


async def test_a_server_that_comes_back(tmp_path):
    with databases.beanstalkd(tmp_path) as server:
        async with scaler(tube("one", server.port)) as made:
            assert (await made.read()).value == 0
            await asyncio.to_thread(server.stop)
            with pytest.raises(ScalerError):
                await made.read()
            await asyncio.to_thread(server.start)
            assert (await made.read()).value == 0


@asynccontextmanager
async def answering(said: bytes) -> AsyncIterator[int]:
    """A server that answers each command with the same; nothing keeps it waiting."""

    served: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.Event())
        while await reader.readline():
            if not said:
                continue
            writer.write(said)
        writer.close()
        served[-1].set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for each in served:
            await each.wait()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"OK 25\r\ncurrent-jobs-ready: many\n\r\n", "no number: 'many'"),
        (b"OK 99999999\r\n", "error retrieving stats"),
        (b"OK many\r\n", "error retrieving stats"),
        (b"OUT_OF_MEMORY\r\n", "OUT_OF_MEMORY"),
        (b"", "no answer within 0.2 s"),
    ],
)
async def test_what_is_no_answer(said, words):
    async with answering(said) as port:
        with pytest.raises(ScalerError) as failure:
            await read(dataclasses.replace(tube("one", port), timeout=0.2))
    assert words in str(failure.value)

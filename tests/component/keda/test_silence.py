"""Servers that take a connection and say nothing, or nonsense: told in time, and let go of."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator

import pytest

from hearth.keda.scalers.seam import ScalerError, TriggerConfig
from tests.component.keda.scaling import read, trigger
from tests.ports import free_port

SECRET = "a-secret-word"
AWS = {"awsAccessKeyID": "AKIATEST", "awsSecretAccessKey": SECRET}


class Silent:
    """Connections that were made, and whether each was closed by the other side."""

    def __init__(self, said: bytes) -> None:
        self._said, self.port = said, 0
        self.ended: list[asyncio.Event] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ended.append(ended := asyncio.Event())
        with contextlib.suppress(ConnectionError):
            writer.write(self._said)
            while await reader.read(65536):
                pass
        writer.close()
        ended.set()


@contextlib.asynccontextmanager
async def silent(said: bytes) -> AsyncIterator[Silent]:
    made = Silent(said)
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made
        async with asyncio.timeout(60):
            for ended in made.ended:
                await ended.wait()


def triggers(port: int) -> dict[str, TriggerConfig]:
    at, who = {"host": "127.0.0.1", "port": str(port)}, {"password": SECRET}
    sql = {**at, "query": "SELECT 1", "dbName": "d"}
    url = f"http://127.0.0.1:{port}"
    found = {
        "postgresql": (
            {**sql, "userName": "me", "sslmode": "disable", "targetQueryValue": "1"},
            who,
        ),
        "mysql": ({**sql, "username": "me", "queryValue": "1"}, who),
        "clickhouse": ({**at, "query": "SELECT 1", "targetQueryValue": "1"}, who),
        "mongodb": (
            {"dbName": "d", "collection": "c", "query": '{"a": 1}', "queryValue": "1"},
            {"connectionString": f"mongodb://me:{SECRET}@127.0.0.1:{port}/?directConnection=true"},
        ),
        "beanstalkd": ({"server": f"127.0.0.1:{port}", "tube": "t", "value": "1"}, {}),
        "etcd": (
            {"endpoints": f"127.0.0.1:{port}", "watchKey": "k", "value": "1"},
            {"username": "me", "password": SECRET},
        ),
        "aws-sqs-queue": ({"awsRegion": "r", "awsEndpoint": url, "queueURL": f"{url}/1/q"}, AWS),
        "azure-queue": (
            {"queueName": "q"},
            {"connection": f"AccountName=a;AccountKey=c2VjcmV0;QueueEndpoint={url}"},
        ),
    }
    return {
        type_: dataclasses.replace(trigger(type_, **metadata), auth=auth, timeout=1.0)
        for type_, (metadata, auth) in found.items()
    }


_used: set[str] = set()


async def used_once(type_):
    """What a client loads at its first use takes its time."""
    if type_ not in _used:
        _used.add(type_)
        with contextlib.suppress(ScalerError):
            await read(dataclasses.replace(triggers(free_port())[type_], timeout=10))


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 999 ?\r\n\r\n", b"\xff" * 100], ids=repr)
@pytest.mark.parametrize("type_", triggers(0))
async def test_it_is_told_in_time_and_the_connection_is_closed(type_, said):
    await used_once(type_)
    async with silent(said) as server:
        begun = time.monotonic()
        with pytest.raises(ScalerError) as failure:
            await read(triggers(server.port)[type_])
        assert time.monotonic() - begun < 20
        assert server.ended
    assert SECRET not in str(failure.value)

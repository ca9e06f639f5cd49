"""mongodb, against SecantusDB, a server that speaks MongoDB's protocol."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from hearth.keda.scalers.seam import Reading, ScalerError, TriggerConfig
from tests.component.keda import databases
from tests.component.keda.databases import PASSWORD, USER, Stoppable
from tests.component.keda.scaling import read, scaler, trigger
from tests.ports import free_port

WHO = {"username": USER, "password": PASSWORD}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stoppable]:
    with databases.mongodb(tmp_path_factory.mktemp("mongodb")) as running:
        yield running


def documents(at: int, query: str = '{"state": "waiting"}', **said: str) -> TriggerConfig:
    written = {"dbName": "work", "collection": "jobs", "query": query, "queryValue": "5", **said}
    config = trigger("mongodb", **written)
    uri = {"connectionString": f"mongodb://127.0.0.1:{at}/?directConnection=true"}
    return dataclasses.replace(config, auth=uri)


def connected(port: int) -> AsyncMongoClient[dict[str, Any]]:
    return AsyncMongoClient("127.0.0.1", port, directConnection=True)


async def insert(port: int, *found: dict[str, Any]) -> None:
    async with connected(port) as client:
        await client["work"]["jobs"].insert_many(found)


async def test_documents_that_a_query_finds(server):
    async with scaler(documents(server.port, activationQueryValue="1")) as made:
        assert (made.spec.name, made.spec.target) == ("s0-mongodb-jobs", 5)
        assert await made.read() == Reading(0, False)
        await insert(server.port, {"state": "waiting"}, {"state": "waiting"}, {"state": "done"})
        assert await made.read() == Reading(2, True)
    assert (
        await read(documents(server.port, '{"state": {"$in": ["done", "waiting"]}}'))
    ).value == 3


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{}", "failed to parse query: empty bson document"),
        ("no json", "failed to parse query"),
        ('{"$nothing": 1}', "failed to inspect mongodb: "),
    ],
)
async def test_what_is_no_query(server, query, words):
    with pytest.raises(ScalerError, match=words):
        await read(documents(server.port, query))


async def test_a_server_that_is_away_is_waited_for_no_longer_than_configured():
    config = dataclasses.replace(documents(free_port()), timeout=0.3)
    begun = time.monotonic()
    with pytest.raises(ScalerError, match="failed to inspect mongodb: "):
        await read(config)
    assert time.monotonic() - begun < 20


async def test_users_and_a_server_that_comes_back(tmp_path):
    with databases.mongodb(tmp_path) as open_to_all:
        async with connected(open_to_all.port) as client:
            roles = [{"role": "readWrite", "db": "work"}]
            await client["work"].command("createUser", USER, pwd=PASSWORD, roles=roles)
        await insert(open_to_all.port, {"state": "waiting"})
    with databases.mongodb(tmp_path, "--auth", "--standalone") as server:
        config = documents(server.port, host="127.0.0.1", port=str(server.port))
        wrong = dataclasses.replace(config, auth={**WHO, "password": "wrong-and-secret"})
        with pytest.raises(ScalerError, match="failed to inspect mongodb: Operation") as failure:
            await read(wrong)
        assert "wrong-and-secret" not in str(failure.value)
        async with scaler(dataclasses.replace(config, auth=WHO, timeout=1.0)) as made:
            assert (await made.read()).value == 1
            await asyncio.to_thread(server.stop)
            with pytest.raises(ScalerError):
                await made.read()
            await asyncio.to_thread(server.start)
            assert (await made.read()).value == 1

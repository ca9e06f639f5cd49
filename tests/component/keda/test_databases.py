"""postgresql and mysql, against PostgreSQL and MariaDB."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiomysql
import asyncpg
import pytest
from asynch import Connection as ClickHouse

from hearth.keda.scalers.seam import Reading, ScalerError, TriggerConfig
from tests.component.keda import databases
from tests.component.keda.databases import DATABASE, PASSWORD, USER, Stoppable
from tests.component.keda.scaling import read, scaler, trigger
from tests.ports import free_port


@dataclass(frozen=True)
class Kind:
    type: str
    server: Stoppable
    target: str
    user: str
    database: str
    more: dict[str, str]
    sleep: str

    def trigger(self, query: str, **said: str) -> TriggerConfig:
        written = {
            "host": "127.0.0.1",
            "port": str(self.server.port),
            "query": query,
            self.target: "5",
            self.user: USER,
            "dbName": self.database,
            **self.more,
        }
        config = trigger(self.type, **{**written, **said})
        return dataclasses.replace(config, auth={"password": PASSWORD})


@contextmanager
def running(type_: str) -> Iterator[Kind]:
    if type_ == "clickhouse":
        with databases.clickhouse() as server:
            more, sleep = {"database": "default"}, "SELECT sleep(3)"
            yield Kind(type_, server, "targetQueryValue", "username", "default", more, sleep)
    elif type_ == "mysql":
        with databases.mariadb() as server:
            yield Kind(type_, server, "queryValue", "username", DATABASE, {}, "SELECT SLEEP(30)")
    else:
        with databases.postgres() as server:
            more, sleep = {"sslmode": "disable"}, "SELECT 1 FROM pg_sleep(30)"
            yield Kind(type_, server, "targetQueryValue", "userName", "postgres", more, sleep)


@pytest.fixture(scope="module", params=["postgresql", "mysql", "clickhouse"])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    with running(request.param) as found:
        yield found


def only(type_: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", [type_], indirect=True)


OF_CLICKHOUSE = {
    "DELETE FROM": "TRUNCATE TABLE",
    "VALUES ('waiting'), ('waiting'), ('done')": "SELECT arrayJoin(['waiting', 'waiting', 'done'])",
}


@asynccontextmanager
async def table(kind: Kind) -> AsyncIterator[Any]:
    """A table of jobs, and what runs statements on it."""
    port, created = kind.server.port, "CREATE TABLE jobs (state TEXT)"
    if kind.type == "clickhouse":
        created = "CREATE TABLE jobs (state String) ENGINE = Memory"
        made = ClickHouse(host="127.0.0.1", port=port, user=USER, password=PASSWORD)
        await made.connect()

        async def run(statement: str) -> None:
            async with made.cursor() as cursor:
                for sql, own in OF_CLICKHOUSE.items():
                    statement = statement.replace(sql, own)
                await cursor.execute(statement)

        close = made.close
    elif kind.type == "mysql":
        connection = await aiomysql.connect(
            host="127.0.0.1", port=port, user=USER, password=PASSWORD, db=DATABASE, autocommit=True
        )

        async def run(statement: str) -> None:
            async with connection.cursor() as cursor:
                await cursor.execute(statement)

        close = connection.ensure_closed
    else:
        held = await asyncpg.connect(
            host="127.0.0.1", port=port, user=USER, password=PASSWORD, database="postgres"
        )
        run, close = held.execute, held.close
    await run(created)
    try:
        yield run
    finally:
        await run("DROP TABLE jobs")
        await close()


async def test_each_read_sees_what_is_there_now(kind):
    config = kind.trigger("SELECT COUNT(*) FROM jobs WHERE state = 'waiting'")
    async with table(kind) as run, scaler(config) as made:
        assert await made.read() == Reading(0, False)
        await run("INSERT INTO jobs VALUES ('waiting'), ('waiting'), ('done')")
        assert await made.read() == Reading(2, True)
        await run("DELETE FROM jobs")
        assert await made.read() == Reading(0, False)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("SELECT 2.5", 2.5),
        ("SELECT '7'", 7),
        ("SELECT CAST(1 AS DECIMAL(10,3)) / 4", 0.25),
        ("SELECT 3, 4", 3),
        ("SELECT 6 UNION ALL SELECT 6", 6),
    ],
)
async def test_the_first_number_of_the_first_row_counts(kind, query, value):
    assert (await read(kind.trigger(query))).value == value


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT NULL", "the value read is no number"),
        ("SELECT 'many'", "the value read is no number: 'many'"),
        ("SELECT -3", "not negative"),
        ("SELECT nothing FROM nowhere", "nowhere"),
        ("no query", "yntax"),
    ],
)
async def test_what_is_no_value_says_so(kind, query, words):
    with pytest.raises(ScalerError) as failure:
        await read(kind.trigger(query))
    assert str(failure.value).startswith("error inspecting ")
    assert words in str(failure.value)


async def test_no_row_is_no_value_but_of_clickhouse(kind):
    config = kind.trigger("SELECT 1 FROM (SELECT 1) AS a WHERE 1 = 0")
    if kind.type == "clickhouse":
        assert await read(config) == Reading(0, False)
        return
    with pytest.raises(ScalerError, match="the value read is no number"):
        await read(config)


@only("clickhouse")
async def test_connections_of_clickhouse(kind):
    config = trigger("clickhouse", query="SELECT 8", targetQueryValue="1")
    address = f"127.0.0.1:{kind.server.port}/default?max_threads=1&dial_timeout=200ms"
    url = f"clickhouse://{USER}:{quote(PASSWORD, safe='')}@{address}"
    assert (await read(dataclasses.replace(config, auth={"connectionString": url}))).value == 8


@only("postgresql")
async def test_not_a_number_is_no_value(kind):
    with pytest.raises(ScalerError, match="the value read is nan"):
        await read(kind.trigger("SELECT 'NaN'::float"))


async def test_a_wrong_password_is_told_and_not_shown(kind):
    config = dataclasses.replace(kind.trigger("SELECT 1"), auth={"password": "wrong-and-secret"})
    with pytest.raises(ScalerError) as failure:
        await read(config)
    assert "worker" in str(failure.value)
    assert "wrong-and-secret" not in str(failure.value)


async def test_a_server_that_is_away_is_told(kind):
    config = kind.trigger("SELECT 1", port=str(free_port()))
    with pytest.raises(ScalerError, match=r"error inspecting .*: "):
        await read(config)


async def test_a_slow_query_is_waited_for_no_longer_than_configured_and_hurts_no_later_one(kind):
    config = dataclasses.replace(kind.trigger(kind.sleep), timeout=0.3)
    begun = time.monotonic()
    with pytest.raises(ScalerError, match=r"no answer within 0\.3 s"):
        await read(config)
    assert time.monotonic() - begun < 20
    assert (await read(kind.trigger("SELECT 1"))).value == 1


@pytest.mark.parametrize("type_", ["postgresql", "mysql", "clickhouse"])
async def test_a_server_that_comes_back_is_read_again(type_):
    with running(type_) as kind:
        async with scaler(kind.trigger("SELECT 4")) as made:
            assert (await made.read()).value == 4
            await asyncio.to_thread(kind.server.stop)
            with pytest.raises(ScalerError):
                await made.read()
            await asyncio.to_thread(kind.server.start)
            assert (await made.read()).value == 4


@only("postgresql")
@pytest.mark.parametrize("form", ["url", "pairs"])
async def test_connections_of_postgresql(kind, form):
    port, quoted = kind.server.port, quote(PASSWORD, safe="")
    connections = {
        "url": f"postgresql://{USER}:{quoted}@127.0.0.1:{port}/postgres?sslmode=disable",
        "pairs": f"host=127.0.0.1 port={port} user={USER} dbname=postgres sslmode=disable "
        f"connect_timeout=5 password='{PASSWORD}'",
    }
    config = trigger("postgresql", query="SELECT 8", targetQueryValue="1")
    auth = {"connection": connections[form]}
    assert (await read(dataclasses.replace(config, auth=auth))).value == 8


@only("mysql")
async def test_a_data_source_name_from_the_environment_of_the_target(kind):
    name = f"{USER}:{PASSWORD}@tcp(127.0.0.1:{kind.server.port})/{DATABASE}?parseTime=true"
    config = trigger("mysql", query="SELECT 8", queryValue="1", connectionStringFromEnv="DSN")
    assert (await read(dataclasses.replace(config, env={"DSN": name}))).value == 8

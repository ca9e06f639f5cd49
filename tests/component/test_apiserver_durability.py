"""What is acknowledged stays: kill -9 in a storm of writes, a full disk, a second server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.model.objects import Key
from hearth.cluster.store import sql
from hearth.cluster.store.store import Compacted, Locked, StaleWrite, StorageFull, Store
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.resources import CONFIGMAPS

SERVER = """
import asyncio, sys
from pathlib import Path
import uvloop
from hearth.cluster.apiserver.main import ApiServerConfig, run
config = ApiServerConfig(Path(sys.argv[1]), port=0)
uvloop.run(run(config, lambda: print("ready", flush=True)))
"""
Object = dict[str, Any]
clock = (1_800_000_000.0).__float__


@contextlib.asynccontextmanager
async def a_server_process(data_dir: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(data_dir), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def a_config_map(name: str, value: str) -> Object:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"v": value}}


async def write_until_killed(
    client: KubeClient, writer: int, acknowledged: dict[str, int], writes: list[int]
) -> None:
    """Creates and changes objects; notes what the server has said yes to."""
    number = max([0, *acknowledged.values()])
    with contextlib.suppress(ApiError):
        while True:
            name, number = f"c-{writer}-{number % 7}", number + 1
            obj = a_config_map(name, f"{number}:" * 100)
            try:
                await client.update(CONFIGMAPS, obj)
            except NotFound:
                await client.create(CONFIGMAPS, obj)
            acknowledged[name] = number
            writes[0] += 1


async def test_kill_9_in_a_storm_of_writes_loses_nothing_acknowledged(tmp_path: Path) -> None:
    acknowledged: dict[str, int] = {}
    for _ in range(3):
        async with (
            a_server_process(tmp_path) as process,
            KubeClient.from_kubeconfig(tmp_path / "kubeconfig") as client,
        ):
            writes = [0]
            storm = [
                asyncio.create_task(write_until_killed(client, writer, acknowledged, writes))
                for writer in range(8)
            ]
            while writes[0] < 300:
                await asyncio.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
            await asyncio.gather(*storm)
        async with (
            running_apiserver(tmp_path) as server,
            KubeClient.from_kubeconfig(server.kubeconfig) as client,
        ):
            items, _ = await client.list(CONFIGMAPS, "default", label_selector="!x")
            found = {i["metadata"]["name"]: i["data"]["v"] for i in items if "v" in i["data"]}
        for name, number in acknowledged.items():
            value = int(found[name].partition(":")[0])
            assert value >= number  # a write that was not acknowledged may be in as well
            assert found[name] == f"{value}:" * 100  # never half of one


async def test_the_state_is_loaded_as_it_was_left(tmp_path: Path) -> None:
    store = Store(tmp_path, clock)
    key = Key("configmaps", "n", "a")
    one = await store.put(key, a_config_map("a", "1"), expected=0)
    two = await store.put(key, a_config_map("a", "2"), expected=one.revision)
    other = Key("configmaps", "n", "b")
    made = await store.put(other, a_config_map("b", "1"), expected=0)
    await store.delete(other, made.parse(), expected=made.revision)
    await store.close()
    store = Store(tmp_path, clock)
    assert store.revision == 4
    assert [entry.value for entry in store.state.entries("configmaps")] == [two.value]
    again = await store.put(other, a_config_map("b", "2"), expected=0)
    assert again.revision == 5
    await store.close()


async def test_what_has_settled_is_packed_and_what_was_just_written_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path, clock)
    key, other = Key("configmaps", "n", "a"), Key("configmaps", "n", "b")
    first = await store.put(key, a_config_map("a", "1"), expected=0)
    assert list(store.settled_entries()) == []
    await store.put(other, a_config_map("b", "1"), expected=0)
    assert list(store.settled_entries()) == [first]
    await store.put(other, a_config_map("b", "2"), expected=2)
    assert list(store.settled_entries()) == [], "it has been written again"
    assert [entry.key for entry in store.settled_entries()] == [other]
    assert list(store.settled_entries()) == []
    await store.close()


async def test_a_key_takes_one_write_at_a_time(tmp_path: Path) -> None:
    store = Store(tmp_path, clock)
    key = Key("configmaps", "n", "a")
    results = await asyncio.gather(
        *(store.put(key, a_config_map("a", str(n)), expected=0) for n in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, StaleWrite) for result in results) == 4
    await store.close()


async def test_writes_of_one_turn_are_one_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, insert = [], sql.insert

    def counted(connection: sqlite3.Connection, rows: Sequence[sql.Row]) -> None:
        sizes.append(len(rows))
        insert(connection, rows)

    monkeypatch.setattr(sql, "insert", counted)
    store = Store(tmp_path, clock)
    keys = [Key("configmaps", "n", str(n)) for n in range(5)]
    await asyncio.gather(*(store.put(key, a_config_map(key.name, "1"), expected=0) for key in keys))
    last = asyncio.ensure_future(store.put(keys[0], a_config_map("0", "2"), expected=1))
    await asyncio.sleep(0)
    await store.close()  # with a write that is not handed over yet
    assert (await last).revision == 6
    assert sizes == [5, 1]


async def test_two_writes_on_one_revision_cannot_both_be_in(tmp_path: Path) -> None:
    connection = sql.connect(tmp_path / "state.db")
    sql.create_tables(connection)
    sql.insert(connection, [sql.Row(1, "r/n/a", 0, False, 0.0, b"{}")])
    with pytest.raises(sqlite3.IntegrityError):
        sql.insert(connection, [sql.Row(2, "r/n/a", 0, False, 0.0, b"{}")])
    connection.close()


async def test_compaction_keeps_the_current_state_and_what_follows(tmp_path: Path) -> None:
    now = [100.0]
    store = Store(tmp_path, lambda: now[0])
    key, gone = Key("configmaps", "n", "a"), Key("configmaps", "n", "gone")
    entry = await store.put(key, a_config_map("a", "0"), expected=0)
    made = await store.put(gone, a_config_map("gone", "0"), expected=0)
    await store.delete(gone, made.parse(), expected=made.revision)
    for n in range(1, 1500):
        now[0] = 100.0 + n
        entry = await store.put(key, a_config_map("a", str(n)), expected=entry.revision)
    before = await store.changes_after(1400, "configmaps")
    assert await store.compact(1000.0) > 800
    assert await store.changes_after(1400, "configmaps") == before
    await store.close()
    store = Store(tmp_path, lambda: now[0])
    assert [e.value for e in store.state.entries("configmaps")] == [entry.value]
    loaded = await store.changes_after(1400, "configmaps")
    assert [change.revision for change in loaded] == [change.revision for change in before]
    assert loaded[0].before is not None
    again = await store.put(gone, a_config_map("gone", "1"), expected=0)
    assert again.revision == entry.revision + 1
    await store.close()


async def test_a_folder_has_one_server(tmp_path: Path) -> None:
    store = Store(tmp_path, clock)
    with pytest.raises(Locked, match=rf"is in use by another Hearth \(pid {os.getpid()}\)"):
        Store(tmp_path, clock)
    await store.close()
    await Store(tmp_path, clock).close()


async def test_a_full_disk_refuses_writes_and_serves_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(connection: sqlite3.Connection, rows: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await client.create(CONFIGMAPS, a_config_map("a", "1"))
        with monkeypatch.context() as patched:
            patched.setattr(sql, "insert", full)
            with pytest.raises(ApiError, match="the disk is full") as refusal:
                await client.create(CONFIGMAPS, a_config_map("b", "1"))
            assert refusal.value.code == 507
            assert (await client.get(CONFIGMAPS, "a", "default"))["data"] == {"v": "1"}
        await client.create(CONFIGMAPS, a_config_map("b", "1"))


async def test_a_really_full_database_recovers(tmp_path: Path) -> None:
    store = Store(tmp_path, clock)
    pages = store._writer.connection.execute("PRAGMA page_count").fetchone()[0]
    store._writer.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    key = Key("configmaps", "n", "a")
    with pytest.raises(StorageFull, match="the disk is full"):
        await store.put(key, a_config_map("a", "x" * 100_000), expected=0)
    assert store.get(key) is None
    store._writer.connection.execute("PRAGMA max_page_count = 1000000")
    await store.put(key, a_config_map("a", "x" * 100_000), expected=0)
    await store.close()


# The log against a model: a dictionary of what was written

NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES),
        st.tuples(st.just("delete"), NAMES),
        st.tuples(st.just("compact"), st.just("")),
        st.tuples(st.just("restart"), st.just("")),
        st.tuples(st.just("stale"), NAMES),
    ),
    max_size=25,
)


@settings(max_examples=25)
@given(STEPS)
def test_the_log_holds_what_was_written(steps: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), steps))


async def play(folder: Path, steps: list[tuple[str, str]]) -> None:
    now = [1.0]
    store = Store(folder, lambda: now[0])
    model: dict[str, tuple[int, str]] = {}
    log: list[tuple[int, str, bool]] = []
    try:
        for number, (step, name) in enumerate(steps):
            now[0] += 1
            key, revision = Key("configmaps", "n", name), model.get(name, (0, ""))[0]
            if step == "put":
                entry = await store.put(key, a_config_map(name, str(number)), expected=revision)
                model[name] = (entry.revision, str(number))
                log.append((entry.revision, name, False))
            elif step == "delete" and revision:
                value = a_config_map(name, model.pop(name)[1])
                entry = await store.delete(key, value, expected=revision)
                log.append((entry.revision, name, True))
            elif step == "stale":
                with pytest.raises(StaleWrite):
                    await store.put(key, a_config_map(name, "x"), expected=revision + 1)
            elif step == "compact":
                await store.compact(now[0])
            elif step == "restart":
                await store.close()
                store = Store(folder, lambda: now[0])
            await check(store, model, log)
    finally:
        await store.close()


async def check(
    store: Store, model: dict[str, tuple[int, str]], log: list[tuple[int, str, bool]]
) -> None:
    entries = store.state.entries("configmaps")
    found = {e.key.name: (e.revision, e.parse()["data"]["v"]) for e in entries}
    assert found == model
    assert store.revision == (log[-1][0] if log else 0)
    changes = await store.changes_after(store.oldest, "configmaps")
    since = [(revision, name, gone) for revision, name, gone in log if revision > store.oldest]
    assert [(c.revision, c.now.key.name, c.deleted) for c in changes] == since
    if store.oldest:
        with pytest.raises(Compacted):
            await store.changes_after(store.oldest - 1, "configmaps")

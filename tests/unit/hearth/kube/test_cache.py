from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.cache import (
    FIRST_PAUSE_SECONDS,
    HEALTHY_SECONDS,
    MAX_PAUSE_SECONDS,
    Pauses,
    WatchCache,
)
from hearth.kube.client import WatchEvent
from hearth.kube.errors import Gone
from hearth.kube.meta import Object, name
from hearth.kube.resources import CONFIGMAPS
from hearth.kube.testing import FakeClient, an_object
from hearth.observability.metrics import CAUGHT
from tests.waiting import until

LABELLED = {"labels": {"app": "a"}}


def errors(part: str) -> float:
    return float(CAUGHT.labels(part=part)._value.get())


@contextlib.asynccontextmanager
async def running(cache: WatchCache) -> AsyncIterator[WatchCache]:
    task = asyncio.create_task(cache.run())
    try:
        async with asyncio.timeout(60):
            await cache.synced()
            await asyncio.sleep(0)
        yield cache
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# -- one object hurts itself only --------------------------------------------------------------


async def test_an_object_that_an_index_fails_on_is_left_out_of_that_index_alone() -> None:
    client = FakeClient()
    cache = WatchCache(client, CONFIGMAPS)
    cache.add_index("size", lambda obj: [str(len(obj["data"]))])
    before = errors("index")
    client.put(CONFIGMAPS, an_object("bad"))
    async with running(cache):
        client.put(CONFIGMAPS, an_object("good", data={"a": "1"}))
        await until(lambda: cache.by_index("size", "1"))
        assert [name(obj) for obj in cache.list()] == ["bad", "good"]
        client.put(CONFIGMAPS, an_object("bad", data={"b": "2"}))
        await until(lambda: len(cache.by_index("size", "1")) == 2)
    assert errors("index") > before


async def test_an_index_that_fails_halfway_leaves_nothing_behind() -> None:
    def halfway(obj: Object) -> Iterator[str]:
        yield "seen"
        if name(obj) == "bad":
            raise ValueError("halfway")

    client = FakeClient()
    cache = WatchCache(client, CONFIGMAPS)
    cache.add_index("seen", halfway)
    client.put(CONFIGMAPS, an_object("bad"))
    client.put(CONFIGMAPS, an_object("good"))
    async with running(cache):
        assert [name(obj) for obj in cache.by_index("seen", "seen")] == ["good"]
        client.remove(CONFIGMAPS, "ns", "good")
        await until(lambda: not cache.by_index("seen", "seen"))


async def test_who_holds_names_for_long_holds_the_same_strings() -> None:
    client = FakeClient()
    cache, other = (WatchCache(client, CONFIGMAPS) for _ in range(2))
    cache.add_index("kind", lambda obj: ["x"])
    client.put(CONFIGMAPS, an_object("".join(("web", "-1"))))
    async with running(cache), running(other):
        client.put(CONFIGMAPS, an_object("".join(("web", "-1")), data="2"))
        await until(lambda: all("data" in each.list()[0] for each in (cache, other)))
        (held,), (held_too,) = cache._held, other._held
        assert held[1] is held_too[1]
        assert next(iter(cache._indexes["kind"][1].get("x"))) is held


async def test_a_callback_that_fails_is_called_again_with_what_it_knew_and_what_is() -> None:
    client, calls, failing = FakeClient(), list[tuple[object, object]](), [True, True]

    def callback(old: Object | None, new: Object | None) -> None:
        if failing:
            failing.pop()
            raise KeyError("not yet")
        calls.append((old and old["data"], new and new["data"]))

    cache = WatchCache(client, CONFIGMAPS)
    cache.on_change(callback)
    before = errors("callback")
    client.put(CONFIGMAPS, an_object("a", data=1))
    async with running(cache):
        await until(lambda: calls)
        client.put(CONFIGMAPS, an_object("a", data=2))
        await until(lambda: len(calls) == 2)
    assert calls == [(None, 1), (1, 2)]
    assert errors("callback") == before + 2


async def test_a_change_meanwhile_counts_as_the_next_try() -> None:
    client, calls = FakeClient(), list[tuple[object, object]]()

    def callback(old: Object | None, new: Object | None) -> None:
        if new is not None and new["data"] == 2:
            raise ValueError("two")
        calls.append((old and old["data"], new and new["data"]))

    cache = WatchCache(client, CONFIGMAPS)
    cache.on_change(callback)
    client.put(CONFIGMAPS, an_object("a", data=1))
    async with running(cache):
        client.put(CONFIGMAPS, an_object("a", data=2))
        client.put(CONFIGMAPS, an_object("a", data=3))
        await until(lambda: len(calls) == 2)
    assert calls == [(None, 1), (1, 3)]


async def test_a_callback_that_never_heard_of_an_object_is_not_told_that_it_went() -> None:
    client, told = FakeClient(), list[str]()

    def callback(old: Object | None, new: Object | None) -> None:
        obj = new or old
        assert obj is not None
        if name(obj) == "bad":
            raise ValueError("bad")
        told.append(name(obj))

    cache = WatchCache(client, CONFIGMAPS)
    cache.on_change(callback)
    client.put(CONFIGMAPS, an_object("bad"))
    async with running(cache):
        before = errors("callback")
        client.remove(CONFIGMAPS, "ns", "bad")
        client.put(CONFIGMAPS, an_object("good"))
        await until(lambda: told == ["good"])
        assert errors("callback") == before


async def test_other_callbacks_hear_of_it_all_the_same() -> None:
    def failing(old: Object | None, new: Object | None) -> None:
        raise RuntimeError

    client, told = FakeClient(), list[str]()
    cache = WatchCache(client, CONFIGMAPS)
    cache.on_change(failing)
    cache.on_change(lambda _, new: told.append(name(new or {})))
    client.put(CONFIGMAPS, an_object("a"))
    async with running(cache):
        assert told == ["a"]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(WatchEvent("ADDED", {}), id="no-metadata"),
        pytest.param(WatchEvent("ADDED", an_object("x")), id="no-version"),
        pytest.param(
            WatchEvent("MODIFIED", {"metadata": {"name": "x", "resourceVersion": "a"}}),
            id="version-that-is-no-number",
        ),
        pytest.param(WatchEvent("ADDED", []), id="no-object"),  # type: ignore[arg-type]
    ],
)
async def test_an_event_that_cannot_be_read_is_skipped(event: WatchEvent) -> None:
    client = FakeClient()
    cache = WatchCache(client, CONFIGMAPS)
    async with running(cache):
        before = errors("watch")
        client.send(CONFIGMAPS, event)
        client.put(CONFIGMAPS, an_object("next"))
        await until(lambda: cache.get("ns", "next"))
        assert errors("watch") == before + 1


# -- answers to our own writes -----------------------------------------------------------------


async def test_an_answer_goes_only_into_caches_whose_selector_takes_it() -> None:
    client = FakeClient()
    ours = WatchCache(client, CONFIGMAPS, label_selector="app=a")
    elsewhere = WatchCache(client, CONFIGMAPS, namespace="other")
    by_field = WatchCache(client, CONFIGMAPS, field_selector="metadata.name=x")
    async with running(ours), running(elsewhere), running(by_field):
        for cache in (ours, elsewhere, by_field):
            for title, labels in (("yes", {"app": "a"}), ("no", {"app": "b"})):
                obj = an_object(title, labels=labels)
                obj["metadata"]["resourceVersion"] = "99"
                cache.put(obj)
        assert [len(cache) for cache in (ours, elsewhere, by_field)] == [1, 0, 0]


# -- pauses ------------------------------------------------------------------------------------


async def test_what_a_write_is_about_to_make_is_shown_and_told_once() -> None:
    client, told = FakeClient(), list[tuple[Object | None, Object | None]]()
    client.put(CONFIGMAPS, an_object("a", status="old"))
    cache = WatchCache(client, CONFIGMAPS)
    cache.on_change(lambda old, new: told.append((old, new)))
    async with running(cache):
        [known] = cache.list()
        with cache.expecting({**known, "status": "new"}):
            assert [obj["status"] for obj in cache.list()] == ["new"]
            answer = await client.update(CONFIGMAPS, {**known, "status": "new"})
        cache.put(answer)
        await until(
            lambda: (
                cache.list()[0]["metadata"]["resourceVersion"]
                != known["metadata"]["resourceVersion"]
            )
        )
    assert [(old or {}).get("status") for old, _ in told] == [None, "old"]


async def test_a_write_that_fails_shows_again_what_is_there() -> None:
    client, told = FakeClient(), list[str]()
    client.put(CONFIGMAPS, an_object("a", status="old"))
    cache = WatchCache(client, CONFIGMAPS)
    cache.on_change(lambda _, new: told.append((new or {})["status"]))
    async with running(cache):
        [known] = cache.list()
        with pytest.raises(ZeroDivisionError), cache.expecting({**known, "status": "new"}):
            raise ZeroDivisionError
        assert [obj["status"] for obj in cache.list()] == ["old"]
    assert told == ["old", "new", "old"]


async def test_a_write_that_fails_hides_nothing_that_came_meanwhile() -> None:
    client = FakeClient()
    client.put(CONFIGMAPS, an_object("a", status="old"))
    cache = WatchCache(client, CONFIGMAPS)
    async with running(cache):
        [known] = cache.list()
        with pytest.raises(ZeroDivisionError), cache.expecting({**known, "status": "new"}):
            client.put(CONFIGMAPS, an_object("a", status="theirs"))
            await until(lambda: cache.list()[0]["status"] == "theirs")
            raise ZeroDivisionError
        assert [obj["status"] for obj in cache.list()] == ["theirs"]


async def test_a_write_that_cannot_succeed_shows_nothing() -> None:
    client = FakeClient()
    client.put(CONFIGMAPS, an_object("a", status="old"))
    cache = WatchCache(client, CONFIGMAPS)
    async with running(cache):
        [known] = cache.list()
        client.put(CONFIGMAPS, an_object("a", status="theirs"))
        await until(lambda: cache.list()[0]["status"] == "theirs")
        with cache.expecting({**known, "status": "new"}):
            assert [obj["status"] for obj in cache.list()] == ["theirs"]


# -- folding -----------------------------------------------------------------------------------


def fold(cache: WatchCache) -> None:
    """What was touched a moment ago is let be the first time."""
    cache.fold()
    cache.fold()


async def test_what_is_in_use_is_not_folded() -> None:
    client = FakeClient()
    cache = WatchCache(client, CONFIGMAPS)
    client.put(CONFIGMAPS, an_object("a", data="1"))
    client.put(CONFIGMAPS, an_object("b", data="1"))
    async with running(cache):
        first = cache.get("ns", "a")
        for _ in range(3):
            cache.fold()
            assert cache.get("ns", "a") is first
        assert [type(cache._held["ns", each]) for each in "ab"] == [dict, bytes]


async def test_what_is_folded_reads_as_before() -> None:
    client, calls = FakeClient(), list[tuple[object, object]]()
    cache = WatchCache(client, CONFIGMAPS)
    cache.add_index("size", lambda obj: [obj["data"]])
    cache.on_change(lambda old, new: calls.append((old and old["data"], new and new["data"])))
    client.put(CONFIGMAPS, an_object("a", data="1"))
    client.put(CONFIGMAPS, an_object("b", data="1"))
    async with running(cache):
        seen = cache.list()
        for _ in range(2):
            fold(cache)
            assert cache.list() == cache.list("ns") == cache.by_index("size", "1") == seen
            fold(cache)
            assert cache.get("ns", "a") == seen[0]
            assert cache.get("ns", "a") is cache.list()[0], "who reads it twice has one object"
        fold(cache)
        cache.add_index("late", lambda obj: [name(obj)])
        client.put(CONFIGMAPS, an_object("a", data="2"))
        client.remove(CONFIGMAPS, "ns", "b")
        await until(lambda: len(calls) == 4)
        assert len(cache) == 1
        assert not cache.by_index("late", "b")
    assert calls == [(None, "1"), (None, "1"), ("1", "2"), ("1", None)]


async def test_what_is_counted_stays_folded() -> None:
    client = FakeClient()
    cache = WatchCache(client, CONFIGMAPS)
    cache.add_index("size", lambda obj: [obj["data"]])
    for title in "ab":
        client.put(CONFIGMAPS, an_object(title, data="1"))
    async with running(cache):
        fold(cache)
        assert (cache.count("size", "1"), cache.count("size", "2")) == (2, 0)
        assert not cache._unfolded
        client.remove(CONFIGMAPS, "ns", "a")
        await until(lambda: cache.count("size", "1") == 1)


async def test_what_nobody_reads_is_not_held_and_not_told_of() -> None:
    client, calls = FakeClient(), list[object]()
    cache = WatchCache(client, CONFIGMAPS, unread=("data",))
    obj = client.put(CONFIGMAPS, an_object("a", data="1"))
    cache.on_change(lambda old, new: calls.append(new and new.get("more")))
    async with running(cache):
        client.put(CONFIGMAPS, obj | {"data": "2"})
        client.put(CONFIGMAPS, obj | {"data": "2", "more": "1"})
        await until(lambda: len(calls) == 2)
        assert [set(obj) for obj in cache.list()] == [{"metadata", "more"}]
    assert calls == [None, "1"]


async def test_what_is_foretold_is_folded_when_it_is_so() -> None:
    client = FakeClient()
    cache = WatchCache(client, CONFIGMAPS)
    client.put(CONFIGMAPS, an_object("a", data=1))
    async with running(cache):
        known = cache.get("ns", "a")
        assert known is not None
        with pytest.raises(ValueError, match="failed"), cache.expecting({**known, "data": 2}):
            fold(cache)
            raise ValueError("failed")
        assert cache.get("ns", "a") == known


def test_what_was_made_small_is_left_alone() -> None:
    cache = WatchCache(FakeClient(), CONFIGMAPS, keep=lambda obj: obj)
    cache._store(("ns", "a"), an_object("a", data={1, 2}))
    fold(cache)
    assert cache.list()[0]["data"] == {1, 2}


# -- pauses ------------------------------------------------------------------------------------


def test_watches_that_end_at_once_are_begun_ever_more_slowly() -> None:
    pauses = Pauses()
    taken = [pauses.after(0.0) for _ in range(12)]
    assert taken[0] == FIRST_PAUSE_SECONDS
    assert taken == sorted(taken)
    assert taken[-1] == MAX_PAUSE_SECONDS


def test_a_watch_that_lasted_sets_the_pause_back() -> None:
    pauses = Pauses()
    for _ in range(12):
        pauses.after(0.0)
    assert pauses.after(HEALTHY_SECONDS) == FIRST_PAUSE_SECONDS


@given(st.lists(st.floats(0, 2 * HEALTHY_SECONDS)))
def test_there_is_always_a_pause_and_never_a_long_one(lasted: list[float]) -> None:
    pauses = Pauses()
    assert all(0 < pauses.after(each) <= MAX_PAUSE_SECONDS for each in lasted)


# -- what an answer has told ---------------------------------------------------------------------


class Reader(FakeClient):
    """Notes what was read of the watch."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[tuple[str, str]] = []

    async def watch(self, *args: Any, **options: Any) -> AsyncIterator[WatchEvent]:
        async for event in super().watch(*args, **options):
            self.read.append((event.type, event.object["metadata"]["resourceVersion"]))
            yield event


async def test_what_an_answer_to_a_write_has_told_is_not_read_again() -> None:
    client, told = Reader(), list[tuple[str, bool]]()
    cache = WatchCache(client, CONFIGMAPS)
    cache.on_change(lambda old, new: told.append((name(new or old or {}), new is not None)))
    async with running(cache):
        ours = await client.create(CONFIGMAPS, an_object("ours"))
        cache.put(ours)
        theirs = client.put(CONFIGMAPS, an_object("theirs"))
        await until(lambda: cache.get("ns", "theirs"))
        assert client.read == [("ADDED", theirs["metadata"]["resourceVersion"])]
        # What comes of it afterwards is read.
        changed = client.put(CONFIGMAPS, {**ours, "data": "new"})
        await until(lambda: (cache.get("ns", "ours") or {}).get("data"))
        client.remove(CONFIGMAPS, "ns", "ours")
        await until(lambda: cache.get("ns", "ours") is None)
    assert client.read[1][1] == changed["metadata"]["resourceVersion"]
    assert client.read[2][0] == "DELETED"
    assert told == [("ours", True), ("theirs", True), ("ours", True), ("ours", False)]


async def test_another_object_that_names_a_known_version_is_read() -> None:
    client = Reader()
    cache = WatchCache(client, CONFIGMAPS)
    async with running(cache):
        ours = await client.create(CONFIGMAPS, an_object("ours"))
        cache.put(ours)
        version = ours["metadata"]["resourceVersion"]
        other = {"metadata": {"resourceVersion": version, "name": "b", "namespace": "ns"}}
        client.send(CONFIGMAPS, WatchEvent("ADDED", other))
        await until(lambda: cache.get("ns", "b"))
    assert client.read == [("ADDED", version)]


class Slow(FakeClient):
    """Its watch ends when told to, its lists come late, and the next watch tells what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.listed, self.may_tell, self.is_gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.may_tell.set()

    async def list(self, *args: Any, **options: Any) -> tuple[list[Object], str]:
        found: tuple[list[Object], str] = await super().list(*args, **options)
        self.listed.set()
        await self.may_tell.wait()
        return found

    async def watch(self, *args: Any, **options: Any) -> AsyncIterator[WatchEvent]:
        if not self.is_gone.is_set():
            await self.is_gone.wait()
            raise Gone({"code": 410, "reason": "Expired"})
        last = next(iter(self.objects[CONFIGMAPS].values()))
        asyncio.get_running_loop().call_soon(self.send, CONFIGMAPS, WatchEvent("MODIFIED", last))
        async for event in super().watch(*args, **options):
            yield event


async def test_what_a_list_has_set_back_is_read_though_an_answer_had_told_it() -> None:
    client = Slow()
    ours = client.put(CONFIGMAPS, an_object("ours"))
    cache, told = WatchCache(client, CONFIGMAPS), list[str | None]()
    cache.on_change(lambda old, new: told.append((new or {}).get("data")))
    async with running(cache):
        client.listed.clear()
        client.may_tell.clear()
        client.is_gone.set()
        await client.listed.wait()
        changed = client.put(CONFIGMAPS, {**ours, "data": "new"})
        cache.put(changed)
        client.may_tell.set()
        await until(lambda: told == [None, "new", None, "new"])

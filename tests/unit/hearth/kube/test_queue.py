from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.controller import Controller
from hearth.kube.errors import Retryable, Terminal
from hearth.kube.queue import WorkQueue, backoff


async def test_a_key_waits_at_most_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add("a")
    queue.add("b")
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_added_during_its_work_runs_once_more() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await queue.get() == "a"


async def test_of_two_delays_the_earlier_counts() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 60)
    queue.add_after("a", 0.001)
    async with asyncio.timeout(60):
        assert await queue.get() == "a"
    queue.close()


async def test_what_changed_goes_before_what_is_only_looked_at_again() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "c"):
        queue.add(key, late=True)
    for key in ("x", "b", "x"):
        queue.add(key)
    queue.add("x", late=True)
    assert len(queue) == 4
    assert [await queue.get() for _ in range(4)] == ["x", "b", "a", "c"]


async def test_those_that_wait_behind_others_have_their_share() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("late", late=True)
    taken = []
    for number in range(10):
        queue.add(str(number))
        taken.append(await queue.get())
    assert "late" in taken


async def test_work_on_a_key_ends_its_delay() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 0.001)
    queue.add("a")
    assert await queue.get() == "a"
    await asyncio.sleep(0.01)
    queue.done("a")
    assert len(queue) == 0


async def test_many_keys_with_nothing_to_do_let_others_run() -> None:
    turns: list[str] = []

    async def reconcile(key: tuple[str, str]) -> None:
        turns.append(key[1])

    controller = Controller("test", reconcile, workers=1)
    for number in range(3):
        controller.queue.add(("ns", str(number)))
    task = asyncio.create_task(controller.run())
    while "2" not in turns:
        turns.append("another")
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "another" in turns[turns.index("0") : turns.index("2")]


_STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "late", "soon", "get", "done"]), st.sampled_from("abc"))
)


@given(_STEPS)
async def test_no_change_is_lost_and_nothing_is_worked_on_twice_at_once(
    steps: list[tuple[str, str]],
) -> None:
    """Each key is taken after it was added last, whatever was under way and in which order."""
    queue: WorkQueue[str] = WorkQueue()
    wanted: set[str] = set()
    active: set[str] = set()

    async def take() -> None:
        key = await queue.get()
        assert key not in active
        active.add(key)
        wanted.discard(key)

    for step, key in steps:
        if step == "get":
            if len(queue):
                await take()
        elif step == "done":
            if key in active:
                active.discard(key)
                queue.done(key)
        else:
            wanted.add(key)
            queue.add(key, late=step == "late") if step != "soon" else queue.add_after(key, 0.0001)
    for key in tuple(active):
        active.discard(key)
        queue.done(key)
    while wanted:
        await asyncio.wait_for(take(), 60)
    queue.close()


def test_backoff_doubles_up_to_a_limit() -> None:
    assert [backoff(n) for n in (1, 2, 3)] == [0.005, 0.01, 0.02]
    assert backoff(100) == 1000


@pytest.mark.parametrize("error", [Retryable("again"), RuntimeError("bug")])
async def test_a_failed_key_is_tried_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []
    worked = asyncio.Event()

    async def reconcile(key: tuple[str, str]) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise error
        worked.set()

    controller = Controller("test", reconcile)
    controller.queue.add(("ns", "name"))
    task = asyncio.create_task(controller.run())
    async with asyncio.timeout(60):
        await worked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(calls) == 2


async def test_a_terminal_error_is_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []
    done = asyncio.Event()

    async def reconcile(key: tuple[str, str]) -> None:
        seen.append(key[1])
        if key[1] == "bad":
            raise Terminal("never")
        done.set()

    controller = Controller("test", reconcile, workers=1)
    controller.queue.add(("ns", "bad"))
    controller.queue.add(("ns", "good"))
    task = asyncio.create_task(controller.run())
    async with asyncio.timeout(60):
        await done.wait()
    assert len(controller.queue) == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["bad", "good"]

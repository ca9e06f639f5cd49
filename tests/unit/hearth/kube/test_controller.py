from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from hearth.kube.controller import Controller
from hearth.kube.errors import Conflict, Retryable, Terminal, Unavailable
from hearth.kube.meta import Key
from hearth.observability.metrics import QUEUE_DEPTH, RECONCILES
from tests.waiting import until

KEY = ("ns", "a")


def count(result: str) -> float:
    return float(RECONCILES.labels(controller="tested", result=result)._value.get())


@contextlib.asynccontextmanager
async def running(
    reconcile: Callable[[Key], Awaitable[float | None]],
) -> AsyncIterator[Controller]:
    controller = Controller("tested", reconcile, workers=2)
    task = asyncio.create_task(controller.run())
    try:
        yield controller
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Conflict({"code": 409}), id="conflict"),
        pytest.param(Retryable("again"), id="retryable"),
        pytest.param(Unavailable({"code": 503}), id="server-error"),
        pytest.param(ZeroDivisionError(), id="an-error-nobody-foresaw"),
    ],
)
async def test_a_failed_key_is_tried_again_and_forgotten_once_it_succeeds(
    error: Exception,
) -> None:
    calls: list[Key] = []

    async def reconcile(item: Key) -> None:
        calls.append(item)
        if len(calls) < 3:
            raise error

    retried, done = count("retry"), count("success")
    async with running(reconcile) as controller:
        controller.queue.add(KEY)
        await until(lambda: count("success") == done + 1)
        assert count("retry") == retried + 2
        assert controller.queue.retry(KEY) == 0.005, "its failures are forgotten"


@pytest.mark.parametrize(
    ("code", "delay"), [pytest.param(0, 2.0, id="no-answer"), pytest.param(500, 320, id="refused")]
)
async def test_a_server_that_was_away_for_long_is_not_waited_for_as_long_again(
    code: int, delay: float
) -> None:
    async def reconcile(item: Key) -> None:
        raise Unavailable({"code": code})

    retried = count("retry")
    async with running(reconcile) as controller:
        for _ in range(16):
            controller.queue.retry(KEY)
        controller.queue.add(KEY)
        began = asyncio.get_running_loop().time()
        await until(lambda: count("retry") == retried + 1)
        ended = asyncio.get_running_loop().time()
        [again] = [timer.when() for timer in controller.queue._timers.values()]
        assert began + delay <= again <= ended + delay * 1.1


async def test_what_cannot_succeed_is_counted_once_and_left() -> None:
    calls: list[Key] = []

    async def reconcile(item: Key) -> None:
        calls.append(item)
        raise Terminal("never")

    before = count("terminal")
    async with running(reconcile) as controller:
        controller.queue.add(KEY)
        await until(lambda: count("terminal") == before + 1)
        await asyncio.sleep(0)
        assert calls == [KEY] and not len(controller.queue)


async def test_it_looks_again_when_asked_to() -> None:
    calls: list[Key] = []

    async def reconcile(item: Key) -> float | None:
        calls.append(item)
        return 0.001 if len(calls) == 1 else None

    async with running(reconcile) as controller:
        controller.queue.add(KEY)
        await until(lambda: len(calls) == 2)


async def test_a_key_is_never_in_work_twice_at_a_time() -> None:
    at_work, seen = set[Key](), list[Key]()
    release = asyncio.Event()

    async def reconcile(item: Key) -> None:
        assert item not in at_work
        at_work.add(item)
        await release.wait()
        at_work.discard(item)
        seen.append(item)

    async with running(reconcile) as controller:
        controller.queue.add(KEY)
        await until(lambda: at_work)
        controller.queue.add(KEY)
        controller.queue.add(("ns", "b"))
        await until(lambda: len(at_work) == 2)
        release.set()
        await until(lambda: len(seen) == 3)


async def test_the_keys_that_wait_are_counted_while_it_runs() -> None:
    hold = asyncio.Event()

    async def reconcile(key: Key) -> None:
        await hold.wait()

    def depth() -> list[float]:
        samples = next(iter(QUEUE_DEPTH.collect())).samples
        return [each.value for each in samples if each.labels == {"name": "tested"}]

    async with running(reconcile) as controller:
        for number in range(5):
            controller.queue.add(("ns", str(number)))
        await until(lambda: depth() == [3.0])  # two are worked on
        hold.set()
        await until(lambda: depth() == [0.0])
    assert depth() == []


async def test_a_cancellation_that_a_library_swallows_ends_a_worker_all_the_same() -> None:
    started = asyncio.Event()

    async def reconcile(_key: Key) -> float | None:
        started.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return None

    controller = Controller("swallowing", reconcile, workers=1)
    task = asyncio.create_task(controller.run())
    controller.queue.add(("team", "a"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 60)

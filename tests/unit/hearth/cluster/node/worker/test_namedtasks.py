from __future__ import annotations

import asyncio

import pytest

from hearth.cluster.node.worker.namedtasks import NamedTasks


@pytest.fixture
def ends() -> list[str]:
    return []


async def waiting(gate: asyncio.Event) -> None:
    await gate.wait()


async def test_one_of_a_name_at_a_time(ends: list[str]) -> None:
    tasks, gate = NamedTasks("pod", lambda: ends.append("end")), asyncio.Event()
    assert tasks.spawn("start-a", waiting(gate))
    assert not tasks.spawn("start-a", waiting(gate))
    assert tasks.spawn("start-b", waiting(gate))
    assert tasks.is_any("start-") and not tasks.is_any("stop-", "prepare")
    gate.set()
    await tasks.cancel_all()
    assert not tasks.is_any("")


async def test_the_name_is_free_in_the_step_that_wakes(ends: list[str]) -> None:
    """Else the next start would be refused, and nothing would ask for it again."""
    again: list[bool] = []
    gate = asyncio.Event()

    def wake() -> None:
        if not again:
            again.append(tasks.spawn("start-a", waiting(gate)))

    tasks = NamedTasks("pod", wake)
    tasks.spawn("start-a", asyncio.sleep(0))
    while not again:
        await asyncio.sleep(0)
    assert again == [True]
    await tasks.cancel_all()


async def test_work_cancelled_before_its_first_step_is_forgotten() -> None:
    tasks, gate = NamedTasks("pod", lambda: None), asyncio.Event()
    tasks.spawn("start-a", waiting(gate))
    assert tasks.cancel("start-a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not tasks.is_any("start-a") and not tasks.cancel("start-a")
    assert tasks.spawn("start-a", waiting(gate))
    await tasks.cancel_all()


async def test_one_may_be_spared(ends: list[str]) -> None:
    tasks, gate = NamedTasks("pod", lambda: ends.append("end")), asyncio.Event()

    async def remove() -> None:
        await tasks.cancel_all(but="remove")
        ends.append("removed")

    tasks.spawn("refresh", waiting(gate))
    tasks.spawn("remove", remove())
    while "removed" not in ends:
        await asyncio.sleep(0)
    assert not tasks.is_any("refresh")


async def test_work_that_fails_keeps_its_name_for_a_while(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """So that what fails at once is not tried in a hot loop."""
    monkeypatch.setattr("hearth.cluster.node.worker.namedtasks._RETRY_SECONDS", 0.01)
    woken = asyncio.Event()
    tasks = NamedTasks("pod", woken.set)

    async def failing() -> None:
        raise RuntimeError("never foreseen")

    tasks.spawn("prepare", failing())
    await asyncio.sleep(0)
    assert not tasks.spawn("prepare", failing())
    await woken.wait()
    assert tasks.spawn("prepare", asyncio.sleep(0))
    await tasks.cancel_all()
    assert "pod work failed" in caplog.text

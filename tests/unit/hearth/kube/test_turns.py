from __future__ import annotations

import asyncio

import pytest

from hearth.kube.turns import Turns


async def test_who_asked_first_goes_first_and_others_do_not_wait() -> None:
    turns, gate, done = Turns(), asyncio.Event(), list[str]()

    async def write(what: str, title: str, *, waits: bool = False) -> None:
        async with turns.of(what):
            if waits:
                await gate.wait()
            done.append(title)

    async with asyncio.TaskGroup() as group:
        group.create_task(write("a", "first", waits=True))
        group.create_task(write("a", "second"))
        group.create_task(write("a", "third"))
        await group.create_task(write("b", "other"))
        assert done == ["other"]
        gate.set()
    assert done == ["other", "first", "second", "third"]


async def test_one_that_fails_lets_the_next_one_in() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError):
        async with turns.of("a"):
            raise ZeroDivisionError
    async with asyncio.timeout(60), turns.of("a"):
        pass

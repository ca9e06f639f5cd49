"""Parts that share a process."""

from __future__ import annotations

import asyncio

import pytest

from hearth.cli.components import together
from hearth.process import Ready


async def test_parts_are_ready_together() -> None:
    callbacks: list[Ready] = []

    async def part(ready: Ready) -> None:
        callbacks.append(ready)
        await asyncio.Event().wait()

    told: list[str] = []
    main = together(part, part)
    task = asyncio.ensure_future(main(lambda: told.append("ready")))
    while len(callbacks) < 2:
        await asyncio.sleep(0)  # both tasks start within the next turns of the loop
    callbacks[0]()
    assert told == []
    callbacks[1]()
    assert told == ["ready"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_end_of_one_part_ends_the_others() -> None:
    ended: list[str] = []

    async def lasting(_: Ready) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("lasting")

    async def failing(_: Ready) -> None:
        raise ValueError("broken")

    with pytest.raises(ExceptionGroup) as raised:
        await together(lasting, failing)(lambda: None)
    assert ended == ["lasting"]
    assert [str(error) for error in raised.value.exceptions] == ["broken"]

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hearth.timeouts import time_limit, time_limit_at


async def cleaning_up(clean: Callable[[], Awaitable[None]]) -> str:
    """What came of a clean-up in a task that was cancelled."""
    seen = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await clean()
                seen.append("done")
            except (asyncio.CancelledError, TimeoutError) as error:
                seen.append(type(error).__name__)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [said] = seen
    return said


@pytest.mark.parametrize("seconds", [0, 0.01])
async def test_a_time_out_of_a_clean_up_is_one(seconds: float) -> None:
    async def clean() -> None:
        async with time_limit(seconds):
            await asyncio.Event().wait()

    assert await cleaning_up(clean) == "TimeoutError"


async def test_a_clean_up_in_time_is_left_alone() -> None:
    async def clean() -> None:
        async with time_limit(None), time_limit_at(asyncio.get_running_loop().time() + 60):
            await asyncio.sleep(0)

    assert await cleaning_up(clean) == "done"


async def test_a_second_cancellation_is_not_taken_for_a_time_out() -> None:
    async def clean() -> None:
        task = asyncio.current_task()
        assert task is not None
        async with time_limit(60):
            task.cancel()
            await asyncio.Event().wait()

    assert await cleaning_up(clean) == "CancelledError"


async def test_outside_of_clean_ups() -> None:
    with pytest.raises(TimeoutError):
        async with time_limit(0):
            await asyncio.Event().wait()
    with pytest.raises(ValueError, match="own"):
        async with time_limit(60):
            raise ValueError("own")

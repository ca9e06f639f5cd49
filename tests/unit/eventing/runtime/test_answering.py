"""Answers that take a while."""

from __future__ import annotations

import asyncio

import pytest

from activator.http.events import ResponseHead
from eventing.engines.seam import Refused
from eventing.runtime.answering import Answering
from eventing.runtime.answers import answer


async def test_no_more_than_so_many_at_once_and_a_fault_is_500() -> None:
    answering, go = Answering("it", 2, "busy"), asyncio.Event()
    heads: asyncio.Queue[ResponseHead] = asyncio.Queue()

    async def work(status: int) -> ResponseHead:
        await go.wait()
        if status == 500:
            raise ZeroDivisionError
        return answer(status)

    answering.begin(work(204), heads.put_nowait)
    answering.begin(work(500), heads.put_nowait)
    with pytest.raises(Refused, match="busy") as refused:
        answering.begin(work(204), heads.put_nowait)
    assert refused.value.status == 429
    go.set()
    assert sorted([(await heads.get()).status, (await heads.get()).status]) == [204, 500]
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0)
    await asyncio.sleep(0)  # who is told that a task has ended is told later
    answering.begin(work(204), heads.put_nowait)
    assert (await heads.get()).status == 204


async def test_at_the_end_what_is_open_is_given_up() -> None:
    answering, heads = Answering("it", 2, "busy"), list[ResponseHead]()

    async def never() -> ResponseHead:
        await asyncio.Event().wait()
        return answer(204)

    answering.begin(never(), heads.append)
    await answering.close()
    assert heads == []

"""One task that waits, and who wakes it."""

from __future__ import annotations

import asyncio

from hearth.cluster.node.worker.wakeup import Wakeup


async def test_who_waits_is_woken_and_who_comes_later_does_not_wait() -> None:
    wakeup = Wakeup()
    waiting = asyncio.create_task(wakeup.wait())
    await asyncio.sleep(0)  # it waits by then
    assert not waiting.done()
    wakeup.set()
    wakeup.set()
    await waiting
    await wakeup.wait()


async def test_what_was_heard_is_waited_for_anew() -> None:
    wakeup = Wakeup()
    wakeup.set()
    wakeup.clear()
    waiting = asyncio.create_task(wakeup.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    wakeup.set()  # nobody waits any more
    await wakeup.wait()

"""What the local engine alone does: how its loop and its disk work beside each other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from eventing.engines.event import RenderedEvent, StoredEvent
from eventing.engines.local.engine import LocalEngine
from eventing.engines.seam import Refused


def an_event(number: int) -> RenderedEvent:
    return RenderedEvent(number, 1, b"ce-id: %d\r\n" % number, b"", b"data")


async def test_the_next_group_is_written_while_the_listener_is_told_of_one(tmp_path: Path) -> None:
    engine = LocalEngine(tmp_path)
    log = await engine.open("broker")
    (segment,) = (tmp_path / "broker").glob("*.log")
    order: list[str] = []
    all_told = asyncio.Event()

    def told(events: Sequence[StoredEvent]) -> None:
        order.extend(f"told {event.position}" for event in events)
        if order[-1] == "told 0":
            # The loop is held up here; the next group gets to the disk all the same.
            deadline = time.monotonic() + 10
            while b"ce-id: 1" not in segment.read_bytes():
                assert time.monotonic() < deadline
                time.sleep(0.001)
        if order[-1] == "told 1":
            all_told.set()

    def first_done(refused: Refused | None) -> None:
        assert refused is None
        order.append("done 0")

    def second_done(refused: Refused | None) -> None:
        assert refused is None
        order.append("done 1")

    log.listen(told)
    log.append([an_event(0)], first_done)
    await asyncio.sleep(0)  # its group is on the way
    log.append([an_event(1)], second_done)
    async with asyncio.timeout(60):
        await all_told.wait()
    assert order == ["done 0", "told 0", "done 1", "told 1"]
    assert log.end == 2
    await engine.close()

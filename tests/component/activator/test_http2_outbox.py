"""Writes of one turn of the loop are one, in their order, and none is lost at the end."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from activator.http.h2.outbox import Outbox


class Transport:
    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.lines: list[list[bytes | memoryview]] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def writelines(self, pieces: list[bytes | memoryview]) -> None:
        self.lines.append(pieces)

    def is_closing(self) -> bool:
        return self.closing


def an_outbox() -> tuple[Outbox, Transport]:
    transport = Transport()
    return Outbox(cast(Any, transport)), transport


async def test_a_turn_is_one_write() -> None:
    outbox, transport = an_outbox()
    for piece in (b"a", b"b", b"c"):
        outbox.write(piece)
    assert transport.writes == []
    await asyncio.sleep(0)
    assert transport.writes == [b"abc"]
    outbox.write(b"d")
    await asyncio.sleep(0)
    assert transport.writes == [b"abc", b"d"]


async def test_much_is_written_at_once() -> None:
    outbox, transport = an_outbox()
    body = memoryview(b"b" * 300_000)
    outbox.write(b"a")
    outbox.write(body)
    # And nothing is copied for it.
    [[head, piece]] = transport.lines
    assert (head, piece is body) == (b"a", True)
    await asyncio.sleep(0)
    assert (transport.lines, transport.writes) == ([[b"a", body]], [])


async def test_what_there_is_goes_before_the_end() -> None:
    outbox, transport = an_outbox()
    outbox.write(b"last words")
    outbox.flush()
    assert transport.writes == [b"last words"]
    outbox.write(b"too late")
    transport.closing = True
    await asyncio.sleep(0)
    assert transport.writes == [b"last words"]

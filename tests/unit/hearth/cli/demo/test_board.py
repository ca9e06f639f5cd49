"""What the demo of the coffee shop makes of the board's server-sent events."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hearth.cli.demo.board import Board
from hearth.cli.demo.stage import Failed

WAITING: dict[str, Any] = {"counts": {"made": 0}, "orders": [{"id": "a"}, {"id": "b"}]}
MADE: dict[str, Any] = {"counts": {"made": 1}, "order": {"id": "a", "made": 2.0}}


def test_orders_are_known_by_id_and_made_ones_counted() -> None:
    board = Board()
    board.take("state", WAITING)
    assert not board.made(["a", "b", "unknown"])
    board.take("order", MADE)
    assert [order["id"] for order in board.made(["a", "b"])] == ["a"]
    assert board.counts == {"made": 1}


async def test_what_is_waited_for_is_looked_at_with_each_event() -> None:
    board = Board()
    waiting = asyncio.create_task(board.until(lambda: bool(board.made(["a"])), "a coffee"))
    for name, data in (("state", WAITING), ("order", MADE)):
        await asyncio.sleep(0)
        assert not waiting.done()
        board.take(name, data)
    await waiting


async def test_what_does_not_come_fails_with_what_the_board_says() -> None:
    board = Board()
    board.take("state", WAITING)
    with pytest.raises(Failed, match=r"a coffee: not within 0 s; the board: made 0"):
        await board.until(lambda: False, "a coffee", seconds=0.01)

"""What one turn of the loop says: in which order it leaves, and by which way."""

from __future__ import annotations

import asyncio
from typing import cast

from activator.http.departures import Departures, departures, send_now

NOBODY = -1
"""No descriptor: writing there is a fault."""


class Transport:
    """Notes what is written through it."""

    def __init__(self, waiting: int = 0) -> None:
        self.waiting = waiting
        self.writes: list[bytes] = []

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def write(self, data: bytes) -> None:
        self.writes.append(data)


def written(transport: Transport, descriptor: int, data: bytes) -> list[bytes]:
    send_now(cast(asyncio.WriteTransport, transport), descriptor, data)
    return transport.writes


class Connection:
    def __init__(self, name: str, left: list[str]) -> None:
        self._name = name
        self._left = left

    def depart(self) -> None:
        self._left.append(self._name)


async def test_requests_leave_before_answers_and_each_in_its_order() -> None:
    left: list[str] = []
    of_turn = Departures()
    of_turn.answer(Connection("answer 1", left))
    of_turn.request(Connection("request 1", left))
    of_turn.answer(Connection("answer 2", left))
    of_turn.request(Connection("request 2", left))
    assert left == []
    await asyncio.sleep(0)
    assert left == ["request 1", "request 2", "answer 1", "answer 2"]


async def test_what_comes_up_while_they_leave_is_of_the_next_turn() -> None:
    left: list[str] = []
    of_turn = Departures()

    class Asking(Connection):
        def depart(self) -> None:
            super().depart()
            of_turn.request(Connection("later", left))

    of_turn.answer(Asking("first", left))
    of_turn.answer(Connection("second", left))
    await asyncio.sleep(0)
    assert left == ["first", "second"]
    await asyncio.sleep(0)
    assert left == ["first", "second", "later"]


async def test_all_connections_of_a_loop_share_them() -> None:
    assert departures() is departures()


async def test_each_loop_has_its_own() -> None:
    def elsewhere() -> Departures:
        async def own() -> Departures:
            return departures()

        return asyncio.run(own())

    assert await asyncio.to_thread(elsewhere) is not departures()


def test_behind_what_waits_in_the_transport_it_waits_too() -> None:
    assert written(Transport(waiting=3), NOBODY, b"data") == [b"data"]


def test_a_fault_of_the_socket_is_the_transports_to_find() -> None:
    assert written(Transport(), NOBODY, b"data") == [b"data"]

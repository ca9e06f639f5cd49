"""What one turn of the loop says, sent when the turn is over: requests first, then answers.

A write wakes who reads at the other end. Said in the order in which it came up, a pod that is done
sooner than the next request for it is written goes to sleep after each, and is woken for each, and
both cost more than all that we do for a request (docs/benchmarks.md has the figures). In groups
each side is woken about once a turn.

What is small and whole goes this way. It is written to the socket itself: the loop's own queue
knows no order, and costs as much as the call. Where that queue holds something already, and where
TLS is in between, it goes through it.
"""

from __future__ import annotations

import asyncio
import os
from typing import Protocol
from weakref import WeakKeyDictionary


class Departing(Protocol):
    """A connection that has something to send."""

    def depart(self) -> None:
        """Send it; called once the turn is over, perhaps after it was sent for another reason."""


class Departures:
    """All of one loop, whatever server or client they belong to."""

    __slots__ = ("_answers", "_requests")

    def __init__(self) -> None:
        self._requests: list[Departing] = []
        self._answers: list[Departing] = []

    def request(self, connection: Departing) -> None:
        """A connection has a request to send."""
        if not self._requests and not self._answers:
            asyncio.get_running_loop().call_soon(self._depart)
        self._requests.append(connection)

    def answer(self, connection: Departing) -> None:
        """A connection has an answer to send."""
        if not self._requests and not self._answers:
            asyncio.get_running_loop().call_soon(self._depart)
        self._answers.append(connection)

    def _depart(self) -> None:
        requests, self._requests = self._requests, []
        answers, self._answers = self._answers, []
        for connection in requests:
            connection.depart()
        for connection in answers:
            connection.depart()


_OF_LOOPS: WeakKeyDictionary[asyncio.AbstractEventLoop, Departures] = WeakKeyDictionary()


def departures() -> Departures:
    """Those of the running loop."""
    loop = asyncio.get_running_loop()
    found = _OF_LOOPS.get(loop)
    if found is None:
        found = _OF_LOOPS[loop] = Departures()
    return found


def descriptor_of(transport: asyncio.BaseTransport) -> int:
    """The socket to write to; -1 where it has to go through the transport."""
    sock = transport.get_extra_info("socket")
    if sock is None or transport.get_extra_info("ssl_object") is not None:
        return -1
    return int(sock.fileno())


def send_now(transport: asyncio.WriteTransport, descriptor: int, data: bytes) -> None:
    """Write to the socket what it takes, and leave the rest, and any fault, to the transport."""
    if not transport.get_write_buffer_size():
        try:
            sent = os.write(descriptor, data)
        except OSError:
            sent = 0
        if sent == len(data):
            return
        data = data[sent:]
    transport.write(data)

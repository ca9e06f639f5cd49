"""Clients that send idempotent requests at a rate and repeat what got no answer (RFC 9110)."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.02
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Outcome:
    """What clients saw."""

    answered: int = 0
    lost: int = 0
    repeated: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    most_in_a_pod: int = 0
    """As the pods themselves tell."""


class Client:
    """One connection at a time, kept for as long as it is any good.

    A request without an answer after ``attempt_seconds`` is hung up on, and sent again.
    """

    def __init__(
        self, gateway: str, host: str, outcome: Outcome, attempt_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._attempt_seconds = attempt_seconds
        self._address, _, self._port = gateway.rpartition(":")
        self._request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._outcome = outcome
        self._connection: Connection | None = None

    async def get(self) -> None:
        """One request, again while it may help."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while loop.time() - started < PATIENCE_SECONDS:
            try:
                async with asyncio.timeout(self._attempt_seconds):
                    problem = await self._ask()
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                problem = type(error).__name__
                self.close()
            if not problem:
                self._outcome.answered += 1
                took = loop.time() - started
                self._outcome.slowest_seconds = max(self._outcome.slowest_seconds, took)
                return
            self._outcome.repeated[problem] += 1
            await asyncio.sleep(_PAUSE_SECONDS)
        self._outcome.lost += 1

    async def _ask(self) -> str:
        if self._connection is None:
            self._connection = await asyncio.open_connection(self._address, int(self._port))
        reader, writer = self._connection
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if b"\r\nconnection: close" in head:
            self.close()
        if not head.startswith(b"http/1.1 200"):
            lines = head.decode().split("\r\n")
            reasons = [line for line in lines if line.startswith("x-hearth-error")]
            return " ".join([lines[0], *reasons])
        self._outcome.most_in_a_pod = max(self._outcome.most_in_a_pod, int(body))
        return ""

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None


async def load(
    gateway: str,
    host: str,
    *,
    rate: float,
    seconds: float,
    attempt_seconds: float = PATIENCE_SECONDS,
) -> Outcome:
    """Requests at a rate for so long, by clients of which each sends ten a second."""
    outcome = Outcome()
    workers = max(1, int(rate / 10))
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds

    async def work(number: int) -> None:
        client = Client(gateway, host, outcome, attempt_seconds)
        due = loop.time() + number / rate
        while (now := loop.time()) < ends:
            await asyncio.sleep(max(0.0, due - now))
            due = max(due + workers / rate, loop.time() - 1.0)
            await client.get()
        client.close()

    async with asyncio.TaskGroup() as group:
        for number in range(workers):
            group.create_task(work(number))
    return outcome

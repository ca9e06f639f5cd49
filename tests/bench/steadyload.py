"""Requests at a steady rate, each sent once, and what became of them.

Four of five are idempotent (``GET``), the others (``POST``) have an id each. Every client has one
connection and uses it again unless it has ended meanwhile, as HTTP clients do. Nothing is repeated,
but for one case: where ``repeats`` is set, a ``GET`` whose connection breaks before its response
has begun is sent again on another one, as RFC 9110 (9.2.2) lets clients do and all do; those are
counted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

CLIENTS = 50
PATIENCE_SECONDS = 15.0
_POST_EVERY = 5


@dataclass
class Seen:
    """What clients saw in one part of a run."""

    answered: int = 0
    repeated: int = 0
    refused: int = 0
    """Connections that could not be made: none should ever be."""
    lost: list[str] = field(default_factory=list)
    """Of GETs, with the reason."""
    failed_posts: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0


class _Client:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes, *, is_post: bool, name: str) -> None:
        seen, loop = self._load.seen, asyncio.get_running_loop()
        began = loop.time()
        problem = await self._attempt(request)
        while problem and self._load.repeats and not is_post and problem.startswith("broken"):
            if loop.time() - began > PATIENCE_SECONDS:
                break
            seen.repeated += 1
            problem = await self._attempt(request)
        if not problem:
            seen.answered += 1
            if is_post:
                self._load.acknowledged.add(name)
        else:
            (seen.failed_posts if is_post else seen.lost).append(problem)
        seen.slowest_seconds = max(seen.slowest_seconds, loop.time() - began)

    async def _attempt(self, request: bytes) -> str:
        """Why there was no good answer; nothing, if there was one."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if self._connection is not None and _has_ended(*self._connection):
                    self.close()
                if self._connection is None:
                    self._connection = await self._connected()
                if self._connection is None:
                    return "refused"
                return await self._ask(*self._connection, request)
        except TimeoutError:
            problem = "timeout"
        except (OSError, asyncio.IncompleteReadError) as error:
            problem = f"broken: {type(error).__name__}"
        self.close()
        return problem

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        try:
            return await asyncio.open_connection("127.0.0.1", self._load.port)
        except OSError:
            self._load.seen.refused += 1
            return None

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
    ) -> str:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        if b"connection: close" in head:
            self.close()
        return "" if head.startswith(b"http/1.1 200") else head.decode().replace("\r\n", " | ")

    def close(self) -> None:
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None


def _has_ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    return reader.at_eof() or reader.exception() is not None or writer.is_closing()


class Load:
    """Sends so many requests a second to one host; ``seen`` may be exchanged at any time."""

    def __init__(self, port: int, host: str, rate: float) -> None:
        self.port = port
        self._host = host
        self._rate = rate
        self.seen = Seen()
        self.repeats = False
        self.work_milliseconds = 5
        self.sent_posts = 0
        self.acknowledged: set[str] = set()
        """Ids of POSTs that were answered."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        clients = min(CLIENTS, max(1, int(self._rate / 4)))
        ending = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(self._run(number, clients, ending))
            try:
                yield
            finally:
                ending.set()

    async def _run(self, number: int, clients: int, ending: asyncio.Event) -> None:
        client, loop, count = _Client(self), asyncio.get_running_loop(), 0
        due = loop.time() + number / self._rate
        while not ending.is_set():
            await asyncio.sleep(max(0.0, due - loop.time()))
            # What could not be sent in time is not made up for: one request at a time for each.
            due = max(due + clients / self._rate, loop.time() - 1.0)
            count += 1
            is_post, name = (count + number) % _POST_EVERY == 0, f"{number}-{count}"
            self.sent_posts += is_post
            await client.send(self._request(name, is_post=is_post), is_post=is_post, name=name)
        client.close()

    def _request(self, name: str, *, is_post: bool) -> bytes:
        method, more = ("POST", "content-length: 2\r\n\r\nhi") if is_post else ("GET", "\r\n")
        target = f"/?ms={self.work_milliseconds}"
        return (
            f"{method} {target} HTTP/1.1\r\nhost: {self._host}\r\nx-request-id: {name}\r\n{more}"
        ).encode()

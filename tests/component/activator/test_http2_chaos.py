"""Clients and applications that say anything at all: nothing breaks, nothing is kept for ever."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from typing import Any

import pytest

from activator.http.h2.codes import PREFACE
from tests.component.activator.conftest import App, Lab
from tests.component.activator.http2 import Answer, Http2App, Server, an_app
from tests.component.activator.test_http2_strict import (
    AUTHORITY,
    GET,
    POST,
    block,
    data,
    frame,
    head,
    setting,
    window,
)

SESSIONS, AT_A_TIME = 360, 12
HOSTS = (b"old.test", b"new.test", b"limited.test", b"evil.test", b"limited-evil.test", b"no.test")
STATUSES = (b"200", b"204", b"103", b"101", b"xx")


class Chance:
    """Frames of all kinds, most of them good."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def one_of(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def may(self, share: float) -> bool:
        return self.random.random() < share

    def any_frame(self, stream: int) -> bytes:
        kind, flags = self.random.randint(0, 12), self.random.randint(0, 255)
        return frame(kind, flags, stream, self.random.randbytes(self.random.randint(0, 20)))

    def control(self, stream: int) -> bytes:
        rst = frame(3, 0, stream, struct.pack(">I", self.one_of(0, 2, 7, 8)))
        ping = frame(6, 0, 0, b"12345678")
        if self.may(0.8):
            return bytes(self.one_of(rst, ping, window(1000), setting(4, self.one_of(0, 65_535))))
        return bytes(
            self.one_of(
                window(self.one_of(0, 1, 2**31 - 1), self.one_of(0, stream)),
                setting(self.random.randint(1, 6), self.one_of(0, 1, 100, 16_384, 65_535)),
                self.any_frame(stream),
            )
        )

    def requests(self, host: bytes) -> bytes:
        """What a client says on one connection."""
        said, stream = bytearray(PREFACE + frame(4, 0, 0)), 1
        for _ in range(self.random.randint(1, 30)):
            other = self.one_of(stream, max(1, stream - 2), stream + 2)
            if self.may(0.4):
                fields = [field for field in self.one_of(GET, POST) if field != AUTHORITY]
                said += head([*fields, (b":authority", host)], stream=stream, end=self.may(0.5))
                stream += 2
            elif self.may(0.3):
                body = b"x" * self.one_of(0, 1, 100, 16_384)
                said += data(body, stream=other, end=self.may(0.4))
            elif self.may(0.15):
                said += head([(b"x-t", b"1")], stream=other)
            else:
                said += self.control(other)
        if self.may(0.3):
            said[self.random.randrange(24, len(said))] = self.random.randrange(256)
        return bytes(said)

    def responses(self) -> bytes:
        """What a broken application says in answer to anything."""
        said = bytearray()
        for _ in range(self.random.randint(0, 6)):
            stream = self.one_of(1, 3, 5, 7, self.random.randint(0, 40))
            if self.may(0.4):
                fields = block([(b":status", self.one_of(*STATUSES)), (b"x-a", b"b")])
                said += frame(1, self.one_of(4, 5, 5), stream, fields)
            elif self.may(0.4):
                said += data(b"x" * self.one_of(0, 10, 5000), stream=stream, end=self.may(0.5))
            elif self.may(0.2):
                said += frame(7, 0, 0, struct.pack(">II", self.one_of(0, 1, 5, 2**31 - 1), 0))
            else:
                said += self.control(stream)
        return bytes(said)


async def a_session(lab: Lab, chance: Chance) -> None:
    said = chance.requests(chance.one_of(*HOSTS))
    reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
    with contextlib.suppress(OSError):
        at = 0
        while at < len(said):
            size = chance.one_of(1, 7, 50, 1000, 100_000)
            writer.write(said[at : at + size])
            at += size
            await writer.drain()
        if chance.may(0.7):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    while await reader.read(65536):
                        pass
    if chance.may(0.5):
        writer.close()
    else:
        writer.transport.abort()


async def applications(lab: Any, chance: Chance) -> tuple[App, Http2App]:
    """Good ones of either version; beside them broken ones."""

    async def old(request: Any) -> bytes:
        return b"garbage" if chance.may(0.05) else bytes(lab.text(b"y" * chance.one_of(0, 100_000)))

    async def new(server: Server, stream: int, request: Answer) -> None:
        if chance.may(0.1):
            server.h2.reset_stream(stream, chance.one_of(0, 7, 8))
            server.flush()
        elif chance.may(0.03):
            server.writer.transport.abort()
        else:
            if chance.may(0.9):
                await request.done()
            await server.reply(stream, body=request.body + b"z" * chance.one_of(0, 10, 200_000))

    async def evil(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # uvloop says so where the other side is gone.
        with contextlib.suppress(RuntimeError):
            writer.write(frame(4, 0, 0, b""))
            while await reader.read(65536) and not chance.may(0.1):
                writer.write(chance.responses())

    http2 = await an_app(lab, new)
    broken = await lab.raw_app(evil)
    http1 = await lab.app(old)
    lab.revision("old", http1)
    lab.revision("new", http2, http2=True)
    lab.revision("limited", http2, http2=True, container_concurrency=2)
    lab.revision("evil", broken, http2=True)
    lab.revision("limited-evil", broken, http2=True, container_concurrency=3)
    return http1, http2


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_breaks_and_nothing_leaks(lab: Any, seed: int) -> None:
    chance, faults = Chance(seed), list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda loop, fault: faults.append(fault))
    http1, http2 = await applications(lab, chance)
    for _ in range(SESSIONS // AT_A_TIME):
        await asyncio.gather(*(a_session(lab, chance) for _ in range(AT_A_TIME)))
    while not http1.requests:  # a slow machine's clients give up before they are heard
        await asyncio.gather(*(a_session(lab, chance) for _ in range(AT_A_TIME)))
    assert faults == []
    await lab.until(lambda: not lab.clients)
    # Calls that were given up keep the slot of a limited pod for a second.
    await lab.pass_time(2)
    for backend in lab.plane.backends.all():
        await lab.until(lambda b=backend: b.stats.active == 0)
        assert backend.throttler.waiting == 0
        assert [pod.in_flight for pod in backend.throttler.pods.values()] == [0]
    for pool in lab.plane.pools._pools.values():
        for connection in getattr(pool, "connections", ()):
            engine = connection.engine
            assert (engine.lanes, engine.held, engine.queued) == ({}, 0, 0)
    assert http1.requests
    assert http2.received
    assert faults == []

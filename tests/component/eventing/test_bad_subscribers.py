"""Subscribers that answer what they should not: deliveries end as they must, and go on."""

import asyncio
import contextlib
import dataclasses

import pytest

from eventing.runtime.policy import Backoff, DeliveryPolicy
from tests.component.eventing.test_broker import plane, sink
from tests.waiting import until

QUICK = DeliveryPolicy(retries=2, backoff=Backoff.EXPONENTIAL, delay_seconds=0.01)
EVENT = b"ce-specversion: 1.0\r\nce-id: r\r\nce-source: /s\r\nce-type: reply\r\n"
TAKEN = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"


class Subscriber:
    """Answers each request with bytes; the connection ends after them where they say so."""

    def __init__(self, answer, *, ends, pause=0.0):
        self.answer, self.ends, self.pause = answer, ends, pause
        self.requests = 0
        self.connections = set()
        self.url = ""

    async def serve(self, reader, writer):
        task = asyncio.current_task()
        self.connections.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer_all(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            self.connections.discard(task)

    async def _answer_all(self, reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            self.requests += 1
            await asyncio.sleep(self.pause)
            writer.write(self.answer)
            await writer.drain()
            if self.ends:
                return


@contextlib.asynccontextmanager
async def subscriber(answer, *, ends=True, pause=0.0):
    found = Subscriber(answer, ends=ends, pause=pause)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield found
    finally:
        server.close()
        connections = list(found.connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


def with_body(status, body, fields=b""):
    head = b"HTTP/1.1 %b\r\ncontent-length: %d\r\n%b\r\n" % (status, len(body), fields)
    return head + body


RETRIED = {
    "nothing": b"",
    "garbage": b"\x00\x01\x02 what is this?\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "half a body": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
    "half a chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\nhalf",
    "no chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a size\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
    "a length below zero": b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000,
    "a body that is no event": with_body(b"200 OK", b"<html>hello</html>"),
    "JSON that is no event": with_body(
        b"200 OK", b"{}", b"content-type: application/cloudevents+json\r\n"
    ),
    "an event with a fault": with_body(b"200 OK", b"x", EVENT.replace(b"/s", b"%zz")),
    "an event of another version": with_body(b"200 OK", b"x", EVENT.replace(b"1.0", b"9.9")),
    "a format that is unknown": with_body(
        b"200 OK", b"x", b"content-type: application/cloudevents+xml\r\n"
    ),
}
NOT_RETRIED = {
    "a redirect": with_body(b"302 Found", b"", b"location: http://127.0.0.1:1/\r\n"),
    "a redirect that stays": with_body(b"308 Permanent Redirect", b"", b"location: /x\r\n"),
    "a refusal with an event": with_body(b"400 Bad Request", b"x", EVENT),
}


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        *(pytest.param(each, 3, id=name) for name, each in RETRIED.items()),
        *(pytest.param(each, 1, id=name) for name, each in NOT_RETRIED.items()),
    ],
)
async def test_what_is_no_answer_ends_at_the_dead_letter_sink(tmp_path, answer, attempts):
    async with subscriber(answer) as bad, sink() as dead, plane(tmp_path) as broker:
        await broker.subscribe("t", bad, policy=QUICK, dead_letter=dead)
        assert await broker.send(1) == 202
        await dead.until_ids(1)
        assert bad.requests == attempts
        [(headers, body)] = dead.got
        assert body == b"{}"
        assert int(headers["ce-knativeerrorcode"]) >= 300


async def test_an_answer_after_the_time_limit_is_none(tmp_path):
    """It is delivered again, and the late answer is not taken for the next one's."""
    policy = dataclasses.replace(QUICK, timeout_seconds=0.2)
    async with (
        subscriber(TAKEN, ends=False, pause=0.6) as late,
        sink() as dead,
        plane(tmp_path) as broker,
    ):
        await broker.subscribe("t", late, policy=policy, dead_letter=dead)
        await broker.send(1)
        await dead.until_ids(1)
        await until(lambda: late.requests == 3)
        assert len(dead.got) == 1


async def test_what_comes_after_an_answer_is_not_taken_for_the_next_one(tmp_path):
    """Where both come at once the first one is no answer either: it cannot be told apart."""
    refused = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
    async with (
        subscriber(TAKEN + refused, ends=False) as chatty,
        sink() as dead,
        plane(tmp_path) as broker,
    ):
        await broker.subscribe("t", chatty, policy=QUICK, dead_letter=dead)
        for number in range(5):
            await broker.send(number)
            await broker.idle("t")
        assert chatty.requests == 3 * 5
        letters = [(got["ce-id"], got["ce-knativeerrorcode"]) for got, _ in dead.got]
        assert letters == [(str(number), "500") for number in range(5)]


async def test_a_subscriber_that_answers_without_end_is_cut_off(tmp_path):
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n"
    async with (
        subscriber(head + b"x" * 9_000_000) as endless,
        sink() as dead,
        plane(tmp_path) as broker,
    ):
        policy = dataclasses.replace(QUICK, retries=0)
        await broker.subscribe("t", endless, policy=policy, dead_letter=dead)
        await broker.send(1)
        await dead.until_ids(1)
        assert dead.got[0][0]["ce-knativeerrorcode"] == "500"


async def test_a_bad_subscriber_does_not_keep_a_good_one_from_its_events(tmp_path):
    async with (
        subscriber(b"\x00garbage") as bad,
        sink() as good,
        plane(tmp_path) as broker,
    ):
        await broker.subscribe("bad", bad, policy=QUICK)
        await broker.subscribe("good", good)
        for number in range(50):
            assert await broker.send(number) == 202
        await good.until_ids(*range(50))
        await until(lambda: bad.requests == 150)

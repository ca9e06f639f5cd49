"""The ingress as HTTP: methods, paths, faults, framing, limits, order of answers."""

import asyncio
import contextlib
import json

import httpx
import pytest

from eventing.engines.seam import Refused
from eventing.runtime.config import IngressLimits
from eventing.runtime.ingress import Ingress
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.places import BROKER, CHANNEL, Place

PLACE, CHANNEL_PLACE = Place(BROKER, "ns", "b"), Place(CHANNEL, "ns", "c")
EVENT = b"ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n"
DEEP = b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":' + b"[" * 100_000


class Broker:
    """Takes events in when told to."""

    def __init__(self):
        self.place = PLACE
        self.counters = EndpointCounters()
        self.waiting = []
        self.automatic = True
        self.refusal = None
        self.got = []

    def append(self, events, done):
        if self.refusal is not None:
            raise self.refusal
        self.got.append(events)
        if self.automatic:
            done(None)
        else:
            self.waiting.append(done)


@contextlib.asynccontextmanager
async def ingress(broker=None, *, max_event_bytes=2000):
    known = broker or Broker()
    server = Ingress(
        lambda place: known if place in (PLACE, CHANNEL_PLACE) else None,
        limits=IngressLimits(event_bytes=max_event_bytes),
    )
    port = await server.start("127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.stop(grace_seconds=1)


async def exchange(port, data, *, close=True):
    """Sends bytes; everything that comes back until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    if close:
        writer.write_eof()
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def post(path=b"/ns/b", more=EVENT, body=b""):
    length = b"content-length: %d\r\n" % len(body)
    return b"POST %b HTTP/1.1\r\nhost: x\r\n%b%b\r\n%b" % (path, more, length, body)


BASE = {"specversion": "1.0", "source": "/s", "type": "t"}


def batch(*events):
    body = json.dumps([BASE | event for event in events]).encode()
    return post(more=b"content-type: application/cloudevents-batch+json\r\n", body=body)


def status(answer):
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("request_bytes", "code", "text"),
    [
        pytest.param(post(), 202, b"", id="taken"),
        pytest.param(post(b"/ns/b/"), 202, b"", id="slash at the end"),
        pytest.param(post(b"/ns/b?x=1"), 202, b"", id="query"),
        pytest.param(post(b"http://host/ns/b"), 202, b"", id="absolute form"),
        pytest.param(post(b"/ns/other"), 404, b"there is no broker ns/other", id="unknown"),
        pytest.param(post(b"/"), 404, b"", id="root"),
        pytest.param(post(b"/ns"), 400, b"malformed path", id="short path"),
        pytest.param(post(b"/ns/b/c"), 400, b"malformed path", id="long path"),
        pytest.param(post(more=EVENT[21:]), 400, b'"specversion"', id="no version"),
        pytest.param(
            post(more=b"content-type: application/cloudevents+json\r\n", body=b"{}"),
            400,
            b'"id"',
            id="structured",
        ),
        pytest.param(
            post(more=EVENT + b"content-type: application/json utf-8\r\n"),
            400,
            b'"datacontenttype"',
            id="no media type",
        ),
        pytest.param(
            post(more=EVENT + b"content-encoding: gzip\r\n", body=b"x"), 415, b"", id="compressed"
        ),
        pytest.param(
            post(more=EVENT + b"content-encoding: identity\r\n", body=b"x"), 202, b"", id="plain"
        ),
        pytest.param(
            post(more=EVENT + b"ce-knativebrokerttl: 9999999999\r\n"), 202, b"", id="odd ttl"
        ),
        pytest.param(
            post(more=EVENT + "ce-time: ２０24-01-01T00:00:00Z\r\n".encode()),
            400,
            b'"time"',
            id="digits of another script",
        ),
        pytest.param(
            post(
                more=b"content-type: application/cloudevents+json\r\n",
                body=b'{"specversion":"1.0","id":5,"source":"/s","type":"t"}',
            ),
            400,
            b'"id"',
            id="a number for an id",
        ),
        pytest.param(
            post(more=b"content-type: application/cloudevents+avro\r\n"), 415, b"", id="format"
        ),
        pytest.param(b"GET /ns/b HTTP/1.1\r\nhost: x\r\n\r\n", 405, b"allow: POST", id="GET"),
        pytest.param(b"PUT /ns/b HTTP/1.1\r\nhost: x\r\n\r\n", 405, b"", id="PUT"),
        pytest.param(
            b"OPTIONS /ns/b HTTP/1.1\r\nhost: x\r\n\r\n",
            200,
            b"webhook-allowed-rate: *",
            id="OPTIONS",
        ),
        pytest.param(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", 200, b"", id="health"),
        pytest.param(post(body=b"x" * 2001), 413, b"", id="too large"),
        pytest.param(b"nonsense\r\n\r\n", 400, b"Bad Request", id="no HTTP"),
        pytest.param(
            post(more=EVENT + b"transfer-encoding: chunked\r\n", body=b"0\r\n\r\n"),
            400,
            b"Bad Request",
            id="two framings",
        ),
        pytest.param(
            post(more=EVENT + b"content-length: 5\r\n", body=b"x"),
            400,
            b"Bad Request",
            id="lengths",
        ),
        pytest.param(
            post(more=EVENT + b"x: %b\r\n" % (b"y" * 70_000)), 431, b"", id="headers too large"
        ),
    ],
)
async def test_answers(request_bytes, code, text):
    async with ingress() as port:
        answer = await exchange(port, request_bytes)
        assert status(answer) == code
        assert text in answer


async def test_http2():
    broker = Broker()
    fields = {"ce-specversion": "1.0", "ce-source": "/s", "ce-type": "t", "content-type": "a/b"}
    async with (
        ingress(broker) as port,
        httpx.AsyncClient(
            http1=False, http2=True, base_url=f"http://127.0.0.1:{port}", timeout=60
        ) as client,
    ):
        sent = (
            client.post("/ns/b", headers=fields | {"ce-id": f"{n}"}, content=b"%d" % n)
            for n in range(20)
        )
        answers = await asyncio.gather(*sent)
        refused = await client.post("/ns/b", headers=fields, content=b"no id")
        large = await client.post("/ns/b", headers=fields | {"ce-id": "x"}, content=b"x" * 3000)
    assert [answer.status_code for answer in answers] == [202] * 20
    assert {answer.http_version for answer in answers} == {"HTTP/2"}
    assert len(broker.got) == 20
    assert refused.status_code == 400
    assert large.status_code == 413


async def test_deep_json_is_refused_in_our_words():
    kind = b"content-type: application/cloudevents+json\r\n"
    async with ingress(max_event_bytes=200_000) as port:
        answer = await exchange(port, post(more=kind, body=DEEP))
        assert status(answer) == 400
        assert answer.endswith(b"\r\n\r\nthe body's JSON is nested too deeply\n")


@pytest.mark.parametrize(
    "bad", [{"id": "2", "knativebrokerttl": "1"}, {"id": ""}, {"id": "2", "datacontenttype": "/"}]
)
async def test_a_batch_is_refused_whole(bad):
    broker = Broker()
    async with ingress(broker) as port:
        assert status(await exchange(port, batch({"id": "1"}, bad))) == 400
        assert broker.got == []
        odd = {"id": "2", "knativebrokerttl": "9999999999"}
        assert status(await exchange(port, batch({"id": "1"}, odd))) == 202
        assert [[event.ttl for event in events] for events in broker.got] == [[255, 255]]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused_and_the_answer_seen(chunked):
    """Also by a client that sends all of it before it reads (RFC 9112, section 9.6)."""
    size = 8 * 1024 * 1024
    if chunked:
        framing, body = b"transfer-encoding: chunked\r\n", b"10000\r\n%b\r\n" % (b"x" * 65536) * 128
    else:
        framing, body = b"content-length: %d\r\n" % size, b"x" * size
    head = b"POST /ns/b HTTP/1.1\r\nhost: x\r\n" + framing + EVENT + b"\r\n"
    async with ingress() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + body)
        async with asyncio.timeout(60):
            await writer.drain()
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert status(answer) == 413
        assert answer.endswith(b"events of more than 2000 bytes are refused\n")


async def test_a_body_a_little_too_large_costs_no_connection():
    chunks = b"%x\r\n%b\r\n" % (1500, b"x" * 1500) * 2 + b"0\r\n\r\n"
    head = b"POST /ns/b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n" + EVENT + b"\r\n"
    async with ingress() as port:
        answer = await exchange(port, head + chunks + post())
        assert [int(part[1:4]) for part in answer.split(b"HTTP/1.1")[1:]] == [413, 202]


async def test_a_client_that_is_told_before_it_sends_is_told_to_go():
    head = post(more=EVENT + b"expect: 100-continue\r\n", body=b"x" * 2001)[:-2001]
    async with ingress() as port:
        answer = await exchange(port, head, close=False)
        assert status(answer) == 413
        assert b"connection: close\r\n" in answer


async def test_a_request_that_does_not_become_whole_is_ended():
    limits = IngressLimits(request_seconds=0.2)
    server = Ingress(lambda key: Broker(), limits=limits)
    port = await server.start("127.0.0.1", 0)
    try:
        answer = await exchange(port, post(body=b"body")[:-2], close=False)
        assert status(answer) == 408
        assert b"connection: close\r\n" in answer
    finally:
        await server.stop(grace_seconds=1)


async def test_broken_framing_closes_the_connection():
    async with ingress() as port:
        answer = await exchange(port, b"nonsense\r\n\r\n" + post(), close=False)
        assert answer.count(b"HTTP/1.1") == 1


async def test_a_connection_is_kept():
    async with ingress() as port:
        assert (await exchange(port, post() * 3)).count(b"202 Accepted") == 3


async def test_answers_keep_the_order_of_requests():
    broker = Broker()
    broker.automatic = False
    async with ingress(broker) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post() + b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(60):
            while not broker.waiting:
                await asyncio.sleep(0.001)
            broker.waiting[0](None)
            writer.write_eof()
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert [int(part[1:4]) for part in answer.split(b"HTTP/1.1")[1:]] == [202, 200]


async def test_a_refusal_says_when_to_come_again():
    broker = Broker()
    broker.refusal = Refused("full", status=429, retry_after=7)
    async with ingress(broker) as port:
        answer = await exchange(port, post())
        assert status(answer) == 429
        assert b"retry-after: 7\r\n" in answer


async def test_a_fault_of_ours_is_not_the_producers(caplog):
    broker = Broker()
    broker.refusal = RuntimeError("a bug")
    async with ingress(broker) as port:
        answer = await exchange(port, post())
        assert status(answer) == 500
        assert b"connection: close" in answer
    assert "a request failed" in caplog.text


async def test_attributes_that_do_not_fit_into_headers_are_refused():
    many = {f"x{number}": number for number in range(5000)}
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"} | many
    kind = b"content-type: application/cloudevents+json\r\n"
    async with ingress(max_event_bytes=10**6) as port:
        answer = await exchange(port, post(more=kind, body=json.dumps(event).encode()))
        assert status(answer) == 413


async def test_expect_continue():
    async with ingress() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = post(more=EVENT + b"expect: 100-continue\r\n", body=b"body")
        writer.write(head[:-4])
        async with asyncio.timeout(60):
            assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
            writer.write(b"body")
            assert b"202" in await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()


async def test_an_offer_of_another_protocol_is_passed_over():
    upgrade = EVENT + b"connection: upgrade\r\nupgrade: h2c\r\n"
    async with ingress() as port:
        assert status(await exchange(port, post(more=upgrade, body=b"x"))) == 202


async def test_stopping_answers_what_is_pending():
    broker = Broker()
    broker.automatic = False
    server = Ingress(lambda key: broker, limits=IngressLimits(event_bytes=2000))
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(post())
    async with asyncio.timeout(60):
        while not broker.waiting:
            await asyncio.sleep(0.001)
        stopping = asyncio.create_task(server.stop(grace_seconds=5))
        await asyncio.sleep(0)
        broker.waiting[0](None)
        await stopping
        assert b"202" in await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_a_channel_is_found_by_its_host():
    sent = b"POST / HTTP/1.1\r\nhost: c-kn-channel.ns.svc.cluster.local\r\n"
    broker = Broker()
    async with ingress(broker) as port:
        answer = await exchange(port, sent + EVENT + b"content-length: 0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 202 ")
        other = sent.replace(b"c-kn-", b"d-kn-") + EVENT + b"content-length: 0\r\n\r\n"
        assert b"there is no channel ns/d" in await exchange(port, other)
    [[event]] = broker.got
    assert b"knativearrivaltime" not in event.head


async def test_what_passes_through_a_channel_stays_as_it_is():
    broker = Broker()
    async with ingress(broker) as port:
        more = EVENT + b"ce-knativebrokerttl: 1\r\nce-knativearrivaltime: then\r\n"
        head = b"POST / HTTP/1.1\r\nhost: c-kn-channel.ns.svc\r\n" + more
        answer = await exchange(port, head + b"content-length: 0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 202 ")
    [[event]] = broker.got
    assert event.attributes["knativebrokerttl"] == "1"
    assert event.attributes["knativearrivaltime"] == "then"

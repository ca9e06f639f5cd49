"""Sending one event: what arrives, and what is said when nothing can."""

import asyncio
import contextlib

import pytest

from eventing.codec import CodecError
from eventing.engines.seam import Refused
from eventing.runtime.config import IngressLimits
from eventing.runtime.ingress import Ingress
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.places import BROKER, Place
from eventing.send import SendError, make_event, send

BASE = {"id": "1", "source": "/s", "type": "t"}


class Broker:
    def __init__(self):
        self.place = Place(BROKER, "ns", "default")
        self.counters = EndpointCounters()
        self.got = []
        self.refusal: Refused | None = None
        self.port = 0

    def append(self, events, done):
        self.got += events
        done(self.refusal)


@contextlib.asynccontextmanager
async def broker():
    found = Broker()
    server = Ingress(lambda key: found, limits=IngressLimits(event_bytes=10_000))
    found.port = await server.start("127.0.0.1", 0)
    try:
        yield found
    finally:
        await server.stop(grace_seconds=1)


@pytest.mark.parametrize("structured", [False, True])
async def test_an_event_arrives(structured):
    async with broker() as target:
        event = make_event(BASE | {"subject": "a b"}, b'{"x": 1}')
        url = f"http://any.localhost:{target.port}/ns/default"
        sent = await asyncio.to_thread(send, url, event, structured=structured)
        assert sent.accepted
        [got] = target.got
        assert got.attributes["subject"] == "a b"
        assert got.attributes["datacontenttype"] == "application/json"
        assert got.data == b'{"x": 1}'


async def test_an_in_cluster_host_is_reached_through_the_gateway():
    async with broker() as target:
        event = make_event(BASE)
        gateway = ("127.0.0.1", target.port)
        url = "http://c-kn-channel.ns.svc.cluster.local/"
        assert (await asyncio.to_thread(send, url, event, gateway=gateway)).accepted
        # Other hosts have nothing to do with it.
        with pytest.raises(SendError):
            await asyncio.to_thread(send, "http://127.0.0.1:9/ns/b", event, gateway=gateway)
        assert [got.attributes["id"] for got in target.got] == ["1"]


async def test_a_refusal_is_told():
    async with broker() as target:
        target.refusal = Refused("full", status=429)
        url = f"http://127.0.0.1:{target.port}/ns/default"
        sent = await asyncio.to_thread(send, url, make_event(BASE))
        assert (sent.status, sent.text, sent.accepted) == (429, "full", False)


def test_no_answer_is_an_error():
    with pytest.raises(SendError):
        send("http://127.0.0.1:9/ns/b", make_event(BASE))


@pytest.mark.parametrize(
    ("attributes", "attribute"),
    [({"id": "1"}, "source"), (BASE | {"Bad": "x"}, "Bad"), (BASE | {"x": "\n"}, "x")],
)
def test_bad_attributes_are_named(attributes, attribute):
    with pytest.raises(CodecError) as caught:
        make_event(attributes)
    assert caught.value.attribute == attribute


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"{}", "application/json"),
        (b"hi", "text/plain; charset=utf-8"),
        (b"\xff", "application/octet-stream"),
    ],
)
def test_content_type_is_guessed(data, kind):
    assert make_event(BASE, data).attributes["datacontenttype"] == kind

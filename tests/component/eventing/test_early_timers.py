"""What a subscriber was promised to be given time for: timers of the loop come early here."""

import asyncio
from typing import cast

import pytest

from activator.http.events import ResponseHead
from eventing.api.deliveryoptions import NO_OPTIONS, DeliveryOptions
from eventing.codec import Event
from eventing.engines.event import StoredEvent
from eventing.filters import EVERYTHING
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.client import Answer, DeliveryClient
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.dispatcher import Dispatcher
from eventing.runtime.intake import prepare
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.policy import Backoff, DeliveryPolicy
from eventing.runtime.replies import LogReplies
from eventing.runtime.services import Services
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.target import parse_target
from tests.virtualtime import VirtualLoop

ONCE = DeliveryPolicy()
START = 1_700_000_000.0
ROUNDING = 1e-6
"""Seconds since 1970, as a float, are no more exact than this."""


class Client:
    """Answers at once, and notes when it was asked."""

    def __init__(self, loop, *answers):
        self.loop, self.answers, self.asked = loop, list(answers), []

    def send(self, target, request, answered, *, timeout_seconds):
        self.asked.append(self.loop.now)
        answer = Answer(self.answers.pop(0) if self.answers else ResponseHead.of(200))
        self.loop.call_soon(answered, answer)


def deliver(client, *, policy=ONCE, options=NO_OPTIONS):
    loop = client.loop
    spec = SubscriptionSpec(
        "uid",
        "ns",
        "t",
        EVERYTHING,
        policy,
        parse_target("http://sub.example/", None),
        options=options,
    )
    event = prepare(
        Event({"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}),
        arrival_ns=int(START * 1e9),
    )
    stored = StoredEvent(event.arrival_ns, event.ttl, event.head, event.types, event.data)
    settled: list[StoredEvent] = []

    async def run():
        services = Services(
            cast(DeliveryClient, client),
            MemoryBudget(SubscriptionLimits()),
            lambda: START + loop.now,
            lambda: 0.0,
            loop.time,
        )
        Dispatcher(
            spec,
            services=services,
            counters=EndpointCounters(),
            replies=cast(LogReplies, None),
            settled=settled.append,
        ).add(stored)
        await asyncio.sleep(100)

    loop.until = 100.0
    loop.run_until_complete(run())
    assert settled == [stored]
    return client.asked


@pytest.fixture
def loop():
    made = VirtualLoop(early_seconds=0.001)
    yield made
    made.close()


def test_back_off_is_no_shorter_than_its_time(loop):
    policy = DeliveryPolicy(retries=3, backoff=Backoff.EXPONENTIAL, delay_seconds=0.2)
    failures = [ResponseHead.of(500)] * 3
    first, second, third, fourth = deliver(Client(loop, *failures), policy=policy)
    waits = (second - first, third - second, fourth - third)
    for wait, asked in zip(waits, (0.2, 0.4, 0.8), strict=True):
        assert asked - ROUNDING <= wait < asked + 0.01


def test_retry_after_is_waited_for_to_its_end(loop):
    busy = ResponseHead.of(503, [(b"retry-after", b"1")])
    first, second = deliver(Client(loop, busy), policy=DeliveryPolicy(retries=1))
    assert 1 - ROUNDING <= second - first < 1.01


def test_a_delay_is_no_shorter_than_its_time(loop):
    [sent] = deliver(Client(loop), options=DeliveryOptions(delay_seconds=5.0))
    assert 5 - ROUNDING <= sent < 5.01

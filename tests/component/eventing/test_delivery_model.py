"""Delivery against a model, with a crash at any moment: nothing is lost, keys keep their order.

The log and its cursor are those of the local engine, without its files: what a crash leaves is what
the last checkpoint saved. Time is virtual, the subscriber and the dead letter sink answer when, and
what, hypothesis chooses.
"""

import asyncio
from collections import defaultdict
from typing import cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activator.http.events import ResponseHead
from eventing.api.deliveryoptions import DeliveryOptions
from eventing.codec import Event
from eventing.engines.cursor import CursorState, decode_states, encode_states
from eventing.engines.event import StoredEvent
from eventing.engines.local.consumer import LocalConsumer
from eventing.engines.local.segments import Portion
from eventing.filters import EVERYTHING
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.client import Answer, DeliveryClient
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.intake import prepare
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.policy import Backoff, DeliveryPolicy
from eventing.runtime.replies import LogReplies
from eventing.runtime.services import Services
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.subscription import Subscription
from eventing.runtime.target import parse_target
from hearth.kube.clock import parse_rfc3339, rfc3339_micro
from tests.virtualtime import VirtualLoop

RETRIES = 2
POLICY = DeliveryPolicy(retries=RETRIES, backoff=Backoff.EXPONENTIAL, delay_seconds=10)
SUBSCRIBER, SINK = (parse_target(f"http://{name}.example/", None) for name in ("sub", "dead"))
START = 1_700_000_000.0


class Log:
    """What is durable: the events, and the cursor as of the last checkpoint."""

    def __init__(self):
        self.events = []
        self.saved = {"c": CursorState(0)}
        self.start = 0

    @property
    def end(self):
        return len(self.events)

    async def read(self, place, max_bytes):
        found = tuple(self.events[place.sequence : place.sequence + 3])
        following = type(place)(place.sequence + len(found))
        return Portion(found, following)

    def touch(self):
        pass

    def checkpoint(self, consumer):
        """As the file has it: what is written, read again."""
        consumer.catch_up()
        written = encode_states({"c": consumer.cursor.state()}, self.saved)
        for key, state in decode_states(written, self.saved).items():
            assert state is not None
            self.saved[key] = state


class Client:
    """Attempts under way, to be answered."""

    def __init__(self, check):
        self.pending = []
        self.check = check

    def send(self, target, request, answered, *, timeout_seconds):
        number = int(request.split(b"ce-id: ", 1)[1].split(b"\r\n", 1)[0])
        self.check(number)
        self.pending.append((target is SUBSCRIBER, number, answered))


class Model(RuleBasedStateMachine):
    @initialize(
        way=st.sampled_from(["any", "ordered", "timed"]),
        mode=st.sampled_from(["hold", "sink", "drop"]),
    )
    def begin(self, way, mode):
        ordered = way == "ordered"
        self.timed = way == "timed"
        self.loop = VirtualLoop()
        self.log = Log()
        self.ordered = ordered
        self.keeps_all = mode != "drop"
        self.spec = SubscriptionSpec(
            uid="c",
            namespace="ns",
            name="t",
            filter=EVERYTHING,
            policy=POLICY,
            target=SUBSCRIBER,
            dead_letter=SINK if mode == "sink" else None,
            options=DeliveryOptions(
                ordered=ordered,
                hold=mode == "hold",
                time_attribute="deliverytime" if self.timed else "",
            ),
        )
        self.taken: set[int] = set()
        """Events that the subscriber took."""
        self.letters: set[int] = set()
        self.discarded: set[int] = set()
        self.redriven: set[int] = set()
        self.attempts: dict[int, int] = defaultdict(int)
        self.has_crashed = False
        self.open()

    def open(self):
        self.last: dict[str, int] = {}
        """The newest event that was taken in this life, by key."""
        self.client = Client(self.check_time)
        limits = SubscriptionLimits(dead_letter_pause_seconds=1000, waiting_events=5)
        services = Services(
            cast(DeliveryClient, self.client),
            MemoryBudget(limits),
            lambda: START + self.loop.now,
            lambda: 0.5,
            lambda: self.loop.now,
        )
        self.counters = EndpointCounters()
        self.consumer = LocalConsumer(self.log, self.log.saved["c"])

        async def start():
            self.subscription = Subscription(
                self.spec,
                self.consumer,
                services=services,
                counters=self.counters,
                replies=cast(LogReplies, None),
            )
            self.subscription.start()

        self.run(start())

    def run(self, work=None, seconds=0.0):
        """Do something, then let time go on."""
        self.loop.until = self.loop.now + seconds

        async def rest():
            if work is not None:
                await work
            await asyncio.sleep(seconds)
            for _ in range(20):
                await asyncio.sleep(0)

        self.loop.run_until_complete(rest())

    def check_time(self, number):
        """No event is sent before its time."""
        given = self.log.events[number].attributes.get("deliverytime")
        if self.timed and given is not None:
            assert parse_rfc3339(given) <= START + self.loop.now

    @rule(key=st.sampled_from("ab"), later=st.sampled_from([None, 0.0, 0.5, 20.0, 3000.0]))
    def append(self, key, later):
        number = len(self.log.events)
        attributes: dict[str, str | int | bool] = {
            "specversion": "1.0",
            "id": str(number),
            "source": "/s",
            "type": "t",
            "partitionkey": key,
        }
        if later is not None:
            attributes["deliverytime"] = rfc3339_micro(START + self.loop.now + later)
        event = Event(attributes, b"x")
        made = prepare(event, arrival_ns=int((START + self.loop.now) * 1e9))
        stored = StoredEvent(
            made.arrival_ns, made.ttl, made.head, made.types, made.data, None, number
        )
        self.log.events.append(stored)

        async def offer():
            self.subscription.offer(stored)

        self.run(offer())

    @precondition(lambda self: self.client.pending)
    @rule(choice=st.integers(0, 100), status=st.sampled_from([200, 400, 400, 503, 503]))
    def answer(self, choice, status):
        self._answer(choice % len(self.client.pending), status)

    def _answer(self, index, status):
        to_subscriber, number, answered = self.client.pending.pop(index)
        if status == 200:
            self._note_success(to_subscriber, number)
        if to_subscriber:
            self.attempts[number] += 1
            assert self.has_crashed or self.attempts[number] <= RETRIES + 1

        async def tell():
            answered(Answer(ResponseHead.of(status)))

        self.run(tell())

    def _note_success(self, to_subscriber, number):
        if not to_subscriber:
            self.letters.add(number)
            return
        self.taken.add(number)
        key = self.key_of(number)
        if self.ordered and number not in self.redriven:
            assert number > self.last.get(key, -1), "in the order in which they came"
            self.last[key] = number

    def key_of(self, number):
        return self.log.events[number].attributes["partitionkey"]

    @invariant()
    def one_at_a_time_of_a_key(self):
        if getattr(self, "ordered", False):
            under_way = [self.key_of(number) for _, number, _ in self.client.pending]
            assert len(under_way) == len(set(under_way))

    @precondition(lambda self: self.client.pending)
    @rule(status=st.sampled_from([200, 400, 503]), seconds=st.sampled_from([0.0, 15.0]))
    def answer_all(self, status, seconds):
        """As when a subscriber fails, or is there again."""
        for _ in range(len(self.client.pending)):
            self._answer(0, status)
        self.run(seconds=seconds)

    @rule(seconds=st.sampled_from([1.0, 15.0, 2000.0]))
    def wait(self, seconds):
        self.run(seconds=seconds)

    @rule()
    def checkpoint(self):
        self.log.checkpoint(self.consumer)

    @rule()
    def crash(self):
        """All that is in memory is gone, answers on their way too."""
        self.has_crashed = True

        async def stop():
            self.subscription.close()

        self.run(stop())
        self.open()

    @rule()
    def close_and_open(self):
        async def stop():
            self.subscription.close()

        self.run(stop())
        self.log.checkpoint(self.consumer)
        self.open()

    @precondition(lambda self: self.subscription.held())
    @rule(choice=st.integers(0, 100), discard=st.booleans())
    def redrive_or_discard(self, choice, discard):
        held = self.subscription.held()
        found = held[choice % len(held)].position
        if discard:
            self.discarded.add(found)
            self.subscription.discard([found])
        else:
            self.attempts[found] = 0
            self.redriven.add(found)
            self.run(self.subscription.redrive([found]))

    def teardown(self):
        """Whatever was, all that is left is delivered once subscribers take it."""
        if not hasattr(self, "loop"):
            return
        for _ in range(1000):
            if self.client.pending:
                self._answer(0, 200)
            elif self.subscription.idle:
                break
            else:
                self.run(seconds=100.0)
        assert self.subscription.idle
        self._nothing_is_lost()
        self.run(self._end())
        self.loop.close()

    async def _end(self):
        self.subscription.close()

    def _nothing_is_lost(self):
        held = {each.position for each in self.subscription.held()}
        everything = set(range(len(self.log.events)))
        if self.keeps_all:
            assert self.taken | self.letters | held | self.discarded >= everything
        assert not self.consumer.cursor.state().open


TestDelivery = Model.TestCase
TestDelivery.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)

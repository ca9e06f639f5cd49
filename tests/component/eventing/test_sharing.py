"""One event loop for all: those that are behind do not keep it from others, nor from each other.

Nothing here is real but what is between log and client: the client answers in the next turn of the
loop, and what is counted is how much is begun in one turn.
"""

import asyncio
import collections
from collections.abc import Callable
from typing import cast

import pytest

from activator.http.events import ResponseHead
from eventing.api.deliveryoptions import DeliveryOptions
from eventing.codec import Event
from eventing.engines.cursor import CursorState
from eventing.engines.event import StoredEvent
from eventing.engines.local.consumer import LocalConsumer
from eventing.engines.local.segments import Portion
from eventing.filters import EVERYTHING
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.client import Answer, DeliveryClient
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.intake import prepare
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.places import BROKER, Place
from eventing.runtime.policy import DeliveryPolicy
from eventing.runtime.replies import LogReplies
from eventing.runtime.services import Services
from eventing.runtime.sharing import Flow, Share
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.subscription import Subscription
from eventing.runtime.target import parse_target

OK = Answer(ResponseHead.of(200))
TURN_EVENTS = 40
"""All that are behind begin so many small events in one turn: 32, and the rest of a piece."""


def an_event(number, size=100):
    attributes: dict[str, str | int | bool] = {
        "specversion": "1.0",
        "id": str(number),
        "source": "/s",
        "type": "t",
    }
    made = prepare(Event(attributes, b"x" * size), arrival_ns=1_700_000_000 * 10**9)
    return StoredEvent(made.arrival_ns, made.ttl, made.head, made.types, made.data, None, number)


class Log:
    """Events in memory; ``end`` is where its tail is."""

    def __init__(self, *events):
        self.events = events
        self.start, self.end = 0, len(events)

    async def read(self, place, max_bytes):
        found = self.events[place.sequence : place.sequence + 500]
        return Portion(found, type(place)(place.sequence + len(found)))

    def touch(self):
        pass


class Client:
    """Answers in the next turn, and counts for whom it sent what in which turn."""

    def __init__(self):
        self.turns = collections.Counter[int]()
        self.sent = collections.Counter[str]()
        self.turn = 0
        self.counting = True
        self.held: list[Callable[[Answer], None]] | None = None
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self):
        self.turn += 1
        if self.counting:
            asyncio.get_running_loop().call_soon(self._next)

    def send(self, target, request, answered, *, timeout_seconds):
        self.turns[self.turn] += 1
        self.sent[target.path.decode()] += 1
        if self.held is None:
            asyncio.get_running_loop().call_soon(answered, OK)
        else:
            self.held.append(answered)

    def let_go(self):
        """Answer all that was held."""
        held, self.held = self.held, None
        for answered in held or ():
            asyncio.get_running_loop().call_soon(answered, OK)


class Process:
    """Subscriptions of one data plane."""

    def __init__(self):
        self.client = Client()
        self.services = Services(
            cast(DeliveryClient, self.client), MemoryBudget(SubscriptionLimits())
        )
        self.open = []

    def subscribe(self, name, log, *, place="broker", **options):
        subscription = Subscription(
            SubscriptionSpec(
                uid=name,
                namespace="ns",
                name=name,
                filter=EVERYTHING,
                policy=DeliveryPolicy(),
                target=parse_target(f"http://sub.example/{name}", None),
                options=DeliveryOptions(**options),
                place=Place(BROKER, "ns", place),
            ),
            LocalConsumer(log, CursorState(0)),
            services=self.services,
            counters=EndpointCounters(),
            replies=cast(LogReplies, None),
        )
        subscription.start()
        self.open.append(subscription)
        return subscription

    async def until(self, condition):
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0)

    def of(self, name):
        return self.client.sent[f"/{name}"]

    def close(self):
        self.client.counting = False
        for each in self.open:
            each.close()


@pytest.fixture
async def process():
    made = Process()
    yield made
    made.close()


async def test_many_that_are_behind_begin_little_in_one_turn_of_the_loop(process):
    """Without turns it is up to 128 for each of them; all the loop's other work waits meanwhile."""
    log = Log(*map(an_event, range(1000)))
    for number in range(30):
        process.subscribe(f"t{number}", log)
    await process.until(lambda: sum(process.client.sent.values()) > 5000)
    assert max(process.client.turns.values()) <= TURN_EVENTS
    process.client.sent.clear()  # they began one after the other
    await process.until(lambda: sum(process.client.sent.values()) > 10_000)
    counts = [process.of(f"t{number}") for number in range(30)]
    assert max(counts) - min(counts) <= 3 * 8


async def test_an_event_that_just_comes_does_not_wait_for_those_that_are_behind(process):
    log = Log(*map(an_event, range(5000)))
    for number in range(20):
        process.subscribe(f"t{number}", log)
    live = process.subscribe("live", Log())
    await process.until(lambda: live.live and sum(process.client.sent.values()) > 2000)
    before = process.client.turn
    live.offer(an_event(0))
    await process.until(lambda: live.idle)
    assert process.client.turn - before <= 2
    assert min(process.of(f"t{number}") for number in range(20)) < 5000, "they still are behind"


async def test_those_with_much_in_memory_take_turns_as_those_do_that_read(process):
    """As when subscribers were away for a moment."""
    log = Log()
    crowd = [process.subscribe(f"t{number}", log) for number in range(30)]
    await process.until(lambda: all(each.live for each in crowd))
    process.client.held = []
    for number in range(1000):
        for each in crowd:
            each.offer(an_event(number))
    process.client.turns.clear()
    process.client.let_go()
    await process.until(lambda: sum(process.client.sent.values()) > 20_000)
    assert max(process.client.turns.values()) <= TURN_EVENTS
    await process.until(lambda: all(each.idle for each in crowd))
    assert [process.of(f"t{number}") for number in range(30)] == [1000] * 30


async def test_the_one_that_is_behind_alone_gets_all_there_is(process):
    process.subscribe("t", Log(*map(an_event, range(3000))))
    await process.until(lambda: process.of("t") == 3000)
    full = [count for count in process.client.turns.values() if count > TURN_EVENTS // 2]
    assert len(full) > 80, "nearly every turn was used"


async def test_weights_count_among_those_of_one_broker(process):
    log = Log(*map(an_event, range(20_000)))
    process.subscribe("heavy", log, weight=4)
    process.subscribe("light", log)
    # At first both may have no more under way than any new one.
    await process.until(lambda: process.of("heavy") >= 2000)
    process.client.sent.clear()
    await process.until(lambda: process.of("heavy") >= 4000)
    assert 0.23 <= process.of("light") / process.of("heavy") <= 0.27


async def test_a_broker_gets_no_more_by_having_more_triggers(process):
    log = Log(*map(an_event, range(20_000)))
    for number in range(9):
        process.subscribe(f"a{number}", log, place="a")
    process.subscribe("b", log, place="b")
    await process.until(lambda: process.of("b") >= 1000)
    process.client.sent.clear()
    await process.until(lambda: process.of("b") >= 2000)
    of_a = sum(process.of(f"a{number}") for number in range(9))
    assert 0.95 <= of_a / process.of("b") <= 1.05


async def test_large_events_count_by_their_size(process):
    process.subscribe("large", Log(*(an_event(n, size=100_000) for n in range(2000))))
    process.subscribe("small", Log(*map(an_event, range(100_000))))
    await process.until(lambda: process.of("large") >= 300)
    costs = process.of("large") * 104_500, process.of("small") * 4500
    assert 0.7 <= costs[0] / costs[1] <= 1.4


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_size": 7, "batch_wait_seconds": 50}, {"breaker": True}, {"ordered": True}],
)
async def test_all_is_delivered_in_turns_and_then_without(process, options):
    of_one = options.get("batch_size", 1)  # all batches are full: none waits for its time
    subscription = process.subscribe("t", Log(*map(an_event, range(1001))), **options)
    other = process.subscribe("other", Log(*map(an_event, range(1000))))
    await process.until(lambda: subscription.idle and other.idle)
    assert (process.of("other"), process.of("t")) == (1000, 1001 // of_one)
    before = process.client.turn
    for number in range(of_one):
        subscription.offer(an_event(number))
    await process.until(lambda: subscription.idle)
    if "batch_size" not in options:
        assert process.client.turn - before <= 2, "turns are not taken any more"


async def test_who_asks_again_while_it_has_its_turn_has_another():
    share, given = Share(), []

    def deliver(most):
        given.append(most)
        if len(given) < 3:
            flow.ask()
        return 0.0

    flow = Flow(share, "group", deliver)
    flow.ask()
    flow.ask()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(given) == 3


async def test_who_is_gone_has_no_turn():
    share, given = Share(), []

    def deliver(most):
        given.append(most)
        return 0.0

    gone, other = (Flow(share, name, deliver) for name in "ab")
    gone.ask()
    other.ask()
    gone.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(given) == 1


@pytest.mark.parametrize(("events", "together"), [(1000, 1), (400, 2), (100, 5), (0, 60)])
async def test_in_one_turn_of_the_loop_one_large_portion_is_looked_at_or_several_small_ones(
    events, together
):
    share, turn = Share(), [0]
    turns: list[int] = []

    def tick():
        turn[0] += 1
        if len(turns) < 60:
            asyncio.get_running_loop().call_soon(tick)

    async def read():
        for _ in range(3):
            await share.may_look(events)
            turns.append(turn[0])

    asyncio.get_running_loop().call_soon(tick)
    await asyncio.gather(*(read() for _ in range(20)))
    assert max(collections.Counter(turns).values()) <= together

"""Which events wait for others of their key, or for their time."""

from eventing.api.deliveryoptions import DeliveryOptions
from eventing.engines.event import StoredEvent
from eventing.filters import EVERYTHING
from eventing.runtime.delivery import Delivery
from eventing.runtime.policy import DeliveryPolicy
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.turns import Turns

NOW = 1_700_000_000.0


def spec(**options):
    return SubscriptionSpec(
        "uid",
        "ns",
        "t",
        EVERYTHING,
        DeliveryPolicy(),
        None,
        options=DeliveryOptions(**options),
    )


def delivery(key=None, *, age=0.0):
    known = {"id": "1"} if key is None else {"id": "1", "partitionkey": key}
    return Delivery(StoredEvent(int((NOW - age) * 1e9), 255, b"", b"", b"", known, 0))


def turns(**options):
    later = []
    made = Turns(clock=lambda: NOW, later=lambda item, seconds: later.append((item, seconds)))
    made.configure(spec(**options))
    return made, later


def test_nobody_waits_where_nothing_is_asked_for():
    made, later = turns()
    assert not made.is_needed
    assert made.may_go(delivery("a")) and made.may_go(delivery("a"))
    assert later == []


def test_events_of_a_key_wait_for_each_other_and_others_do_not():
    made, _ = turns(ordered=True)
    first, second, other, free = delivery("a"), delivery("a"), delivery("b"), delivery()
    assert made.is_needed
    assert [made.may_go(each) for each in (first, second, other, free)] == [True, False, True, True]
    assert made.after(other) is None and made.after(free) is None
    assert made.after(first) is second
    assert made.after(second) is None


def test_an_early_event_waits_for_the_rest_of_its_delay():
    made, later = turns(delay_seconds=10.0)
    young, old = delivery(age=4.0), delivery(age=10.0)
    assert not made.may_go(young) and made.may_go(old)
    [(item, seconds)] = later
    assert item is young and abs(seconds - 6.0) < 1e-6


def test_no_event_waits_longer_than_its_delay_whatever_the_clock_says():
    made, later = turns(delay_seconds=10.0)
    made.may_go(delivery(age=-1000.0))
    assert later[0][1] == 10.0


def test_the_next_of_a_key_may_be_early_itself():
    made, later = turns(ordered=True, delay_seconds=10.0)
    first, second = delivery("a", age=11.0), delivery("a", age=1.0)
    assert made.may_go(first) and not made.may_go(second)
    assert made.after(first) is None
    assert [item for item, _ in later] == [second]


def test_what_waited_for_others_is_free_when_order_is_given_up():
    made, _ = turns(ordered=True)
    first, second = delivery("a"), delivery("a")
    made.may_go(first)
    made.may_go(second)
    assert made.configure(spec(ordered=True)) == []
    assert made.configure(spec()) == [second]
    assert not made.is_needed and made.after(first) is None

"""Slots: room grows with use, and shrinks once for each time of overload."""

from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.config import SlotLimits
from eventing.runtime.slots import Slots

LIMITS = SlotLimits(initial=16, min=1, max=128)


def test_full_use_makes_room():
    slots = Slots(LIMITS)
    for _ in range(1000):
        slots.succeeded(busy=slots.limit)
    assert LIMITS.initial < slots.limit <= LIMITS.max


def test_little_use_does_not():
    slots = Slots(LIMITS)
    for _ in range(1000):
        slots.succeeded(busy=1)
    assert slots.limit == LIMITS.initial


def test_overload_halves_once_for_what_was_under_way():
    slots = Slots(LIMITS)
    for _ in range(10):
        slots.overloaded(now=5.0, started=4.0)
    assert slots.limit == LIMITS.initial // 2
    slots.overloaded(now=6.0, started=5.5)
    assert slots.limit == LIMITS.initial // 4


@given(st.lists(st.booleans()))
def test_the_limit_stays_in_bounds(outcomes):
    slots = Slots(LIMITS)
    for number, success in enumerate(outcomes):
        if success:
            slots.succeeded(busy=slots.limit)
        else:
            slots.overloaded(now=number, started=number)
        assert LIMITS.min <= slots.limit <= LIMITS.max


def test_what_the_gateway_tells_is_the_limit_until_there_is_more():
    slots = Slots(SlotLimits(initial=16, min=1, max=32))
    slots.told(3)
    assert slots.limit == 3
    for _ in range(8):
        slots.succeeded(busy=slots.limit)
    assert slots.limit > 3
    slots.told(100)
    assert 3 < slots.limit < 100, "more than it has asked for is no news"
    slots.told(0)
    assert slots.limit == 1


def test_an_upper_limit_holds_for_all_of_them():
    limits = SlotLimits(initial=16, min=1, max=128)
    assert limits.up_to(0) == limits
    assert limits.up_to(4) == SlotLimits(initial=4, min=1, max=4)
    assert limits.up_to(500) == SlotLimits(initial=16, min=1, max=500)

"""Slots: room grows with use, and shrinks once for each time of overload."""

from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.slots import FIRST, LEAST, MOST, Slots


def test_full_use_makes_room():
    slots = Slots()
    for _ in range(1000):
        slots.succeeded(busy=slots.limit)
    assert FIRST < slots.limit <= MOST


def test_little_use_does_not():
    slots = Slots()
    for _ in range(1000):
        slots.succeeded(busy=1)
    assert slots.limit == FIRST


def test_overload_halves_once_for_what_was_under_way():
    slots = Slots()
    for _ in range(10):
        slots.overloaded(now=5.0, started=4.0)
    assert slots.limit == FIRST // 2
    slots.overloaded(now=6.0, started=5.5)
    assert slots.limit == FIRST // 4


@given(st.lists(st.booleans()))
def test_the_limit_stays_in_bounds(outcomes):
    slots = Slots()
    for number, success in enumerate(outcomes):
        if success:
            slots.succeeded(busy=slots.limit)
        else:
            slots.overloaded(now=number, started=number)
        assert LEAST <= slots.limit <= MOST

"""Slots: room grows with use, and shrinks once for each time of overload."""

from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.slots import INITIAL, MAX, MIN, Slots


def test_full_use_makes_room():
    slots = Slots()
    for _ in range(1000):
        slots.succeeded(busy=slots.limit)
    assert INITIAL < slots.limit <= MAX


def test_little_use_does_not():
    slots = Slots()
    for _ in range(1000):
        slots.succeeded(busy=1)
    assert slots.limit == INITIAL


def test_overload_halves_once_for_what_was_under_way():
    slots = Slots()
    for _ in range(10):
        slots.overloaded(now=5.0, started=4.0)
    assert slots.limit == INITIAL // 2
    slots.overloaded(now=6.0, started=5.5)
    assert slots.limit == INITIAL // 4


@given(st.lists(st.booleans()))
def test_the_limit_stays_in_bounds(outcomes):
    slots = Slots()
    for number, success in enumerate(outcomes):
        if success:
            slots.succeeded(busy=slots.limit)
        else:
            slots.overloaded(now=number, started=number)
        assert MIN <= slots.limit <= MAX

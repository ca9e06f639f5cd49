"""Turns to open connections: bounded, fair, and given on."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.dialing import DialTurns, is_shortage


def take_all(turns: DialTurns[str], who: str) -> int:
    count = 0
    while turns.take(who):
        count += 1
    return count


def test_one_alone_gets_half_and_leaves_turns_for_others() -> None:
    turns: DialTurns[str] = DialTurns(8)
    assert take_all(turns, "silent") == 4
    assert turns.take("other")
    assert turns.under_way == 5


def test_who_waits_is_named_when_there_is_a_turn_the_longest_waiting_first() -> None:
    turns: DialTurns[str] = DialTurns(2)
    assert turns.take("a")
    assert not turns.take("a")
    assert turns.take("b")
    assert not turns.take("c")
    assert not turns.take("d")
    assert turns.give_back("b") == ["c", "d"]
    assert turns.take("c")
    assert turns.give_back("a") == ["a", "d"]
    assert turns.give_back("c") == ["a", "d"]


@given(st.integers(1, 6), st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=80))
def test_turns_are_bounded_and_whoever_waits_is_named_in_the_end(
    most: int, moves: list[tuple[str, bool]]
) -> None:
    turns: DialTurns[str] = DialTurns(most)
    taken: dict[str, int] = dict.fromkeys("abc", 0)
    waiting: set[str] = set()
    for who, comes in moves:
        if comes:
            got = turns.take(who)
            taken[who] += got
            waiting = waiting - {who} if got else waiting | {who}
        elif taken[who]:
            taken[who] -= 1
            for each in turns.give_back(who):
                assert each in waiting
                if turns.take(each):
                    taken[each] += 1
                    waiting.discard(each)
        assert turns.under_way == sum(taken.values()) <= most
    # With nothing under way there is a turn for everybody who still waits.
    named: set[str] = set()
    for who in "abc":
        for _ in range(taken[who]):
            named |= set(turns.give_back(who))
    if sum(taken.values()):
        assert named >= waiting
    else:
        assert not waiting


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EMFILE, "too many open files"), True),
        (OSError(errno.EADDRNOTAVAIL, "no port left"), True),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), False),
        (TimeoutError(), False),
        (ValueError(), False),
    ],
)
def test_what_is_this_machines_fault(error: Exception, expected: bool) -> None:
    assert is_shortage(error) is expected

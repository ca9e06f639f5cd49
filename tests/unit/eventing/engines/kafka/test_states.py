"""How far consumers are, written to a topic and read again, whole or up to any record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.engines.cursor import Cursor, CursorState
from eventing.engines.kafka.states import Known, States, Topic, changes, opened, written

STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "done", "note", "park", "recall"]), st.integers(0, 12)),
    max_size=40,
)


def do(cursor: Cursor, what: str, at: int) -> None:
    if what == "take":
        cursor.take(cursor.next)
    elif what == "note":
        cursor.note(at, f"note {at}")
    elif what == "park":
        cursor.park(at, f"why {at}")
    else:
        getattr(cursor, what)(at)


@given(st.lists(STEPS, min_size=1, max_size=5), st.integers(0, 1000))
def test_wherever_writing_ends_nothing_unsettled_is_lost(
    saves: list[list[tuple[str, int]]], cut: int
) -> None:
    """The state read is one of before, or given more events again than need be."""
    cursor, before = Cursor(CursorState(0)), CursorState(0)
    records = [written("t", "c", Known(0, {3: 0}))]
    needed: list[tuple[int, CursorState]] = [(1, before)]
    for steps in saves:
        for what, at in steps:
            do(cursor, what, at)
        now = cursor.state()
        records += changes("t", "c", 0, 3, before, now)
        before = now
        needed.append((len(records), now))
    cut = 1 + cut % len(records)
    states = States()
    for key, value in records[:cut]:
        states.apply(key, value)
    found = states.state("t", "c", 3)
    assert found is not None
    later = next(state for length, state in needed if length >= cut)
    given_again = {*found.open, *range(found.next, later.next)}
    kept = given_again | found.notes.keys()
    assert set(later.open) <= kept, "unsettled events come again, or are still set aside"
    assert later.notes.keys() - set(later.open) <= kept, "and so do those that are set aside"
    if cut == len(records):
        assert found == later


def test_a_moved_consumer_is_known_by_its_new_generation_alone() -> None:
    states = States()
    for key, value in [
        written("t", "c", Known(0, {0: 5})),
        *changes("t", "c", 0, 0, None, CursorState(9, (6,), {6: "why"})),
        written("t", "c", Known(1, {0: 2})),
        *changes("t", "c", 0, 0, None, CursorState(11)),  # of one who has not heard
    ]:
        states.apply(key, value)
    assert states.consumers("t")["c"] == Known(1, {0: 2})
    assert states.state("t", "c", 0) == CursorState(2)
    states.apply(*written("t", "c", None))
    assert states.state("t", "c", 0) is None
    assert states.consumers("t") == {}


def test_consumers_and_partitions_are_told_apart() -> None:
    states = States()
    for consumer in ("a", "b/ä"):
        states.apply(*written("t", consumer, Known(0, {0: 1, 1: 2})))
    for key, value in changes("t", "b/ä", 0, 1, None, CursorState(7)):
        states.apply(key, value)
    assert states.state("t", "a", 1) == CursorState(2)
    assert states.state("t", "b/ä", 1) == CursorState(7)
    assert states.state("t", "b/ä", 2) is None, "a partition that came later"
    assert states.partitions("t", "a") == [0, 1]


@pytest.mark.parametrize("key", [b"", b"x", b"{}", b'["c"]', b"[1,2,3,4]", b"[]"])
def test_a_record_of_others_is_named(key: bytes) -> None:
    with pytest.raises(ValueError):
        States().apply(key, b"1")


def test_logs_are_known_by_their_keys() -> None:
    states = States()
    states.apply(*opened("a/b", Topic("hearth-a", True)))
    assert states.logs == {"a/b": Topic("hearth-a", True)}
    states.apply(*opened("a/b", None))
    assert states.logs == {}


def test_of_several_processes_that_make_a_consumer_the_first_one_counts() -> None:
    states = States()
    for known in (Known(0, {0: 5}), Known(0, {0: 9}), Known(1, {0: 2}), Known(1, {0: 3})):
        states.apply(*written("t", "c", known))
    assert states.consumers("t")["c"] == Known(1, {0: 2})
    states.apply(*written("t", "c", None))
    states.apply(*written("t", "c", Known(0, {0: 9})))
    assert states.consumers("t")["c"] == Known(0, {0: 9})

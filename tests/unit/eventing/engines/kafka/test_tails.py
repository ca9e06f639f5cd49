"""The newest events of a partition, against a plain list of all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eventing.engines.event import StoredEvent
from eventing.engines.kafka.tails import Tail

RECORDS = st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=60)
"""How far each record is from the one before it (what lies between is no record of events), and
whether it carries an event."""


def an_event(offset: int) -> StoredEvent:
    return StoredEvent(0, 255, b"", b"", b"x" * 100, None, offset)


@given(RECORDS, st.integers(0, 20), st.integers(300, 3000), st.integers(1, 1500))
def test_whoever_follows_is_given_each_event_once(
    records: list[tuple[int, bool]], begin: int, room: int, max_bytes: int
) -> None:
    tail, there, offset = Tail(room), list[int](), begin
    assert not tail.has(begin)
    tail.reach(begin)
    for step, carries in records:
        offset += step
        tail.add(offset, an_event(offset) if carries else None)
        if carries:
            there.append(offset)
    assert tail.end == (offset + 1 if records else begin)
    assert sum(300 for each in there if tail.has(each)) <= max(room, 300)
    following, got = tail.start, list[int]()
    while following < tail.end:
        events, after, _ = tail.since(following, max_bytes)
        assert after > following
        assert sum(event.size for event in events[:-1]) < max_bytes
        got += [int(str(event.position)) for event in events]
        following = after
    assert got == [each for each in there if each >= tail.start]
    assert tail.since(following, max_bytes) == ([], following, 0)


@given(RECORDS, st.integers(300, 900))
def test_what_went_to_make_room_is_not_said_to_be_there(
    records: list[tuple[int, bool]], room: int
) -> None:
    tail, offset = Tail(room), 0
    gone: list[int] = []
    for step, carries in records:
        offset += step
        before = tail.start
        tail.add(offset, an_event(offset) if carries else None)
        if tail.start != before and before:
            gone.append(before)
    assert not any(tail.has(each) for each in gone)

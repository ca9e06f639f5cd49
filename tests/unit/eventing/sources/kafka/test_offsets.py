"""No offset is committed past a record that is not done with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eventing.sources.kafka.offsets import Offsets


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40), st.data())
def test_a_place_is_the_first_that_is_not_done_with(
    gaps: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """Offsets have gaps: what a transaction gave up, or compaction took."""
    offsets, at, opened = Offsets(5), 5, set[int]()
    for gap, settles in gaps:
        at += gap
        offsets.taken(at)
        opened.add(at)
        at += 1
        if settles and opened:
            done = data.draw(st.sampled_from(sorted(opened)))
            opened.discard(done)
            offsets.settled(done)
        assert offsets.place == min(opened, default=at)
        assert offsets.pending == len(opened)
    told = offsets.to_commit()
    assert told == (offsets.place if offsets.place > 5 else None)
    if told is not None:
        offsets.committed(told)
        assert offsets.to_commit() is None

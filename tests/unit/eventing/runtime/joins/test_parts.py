"""How parts of a join are known, and that nothing else passes for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.codec import Event
from eventing.codec.binary import attributes_of_head
from eventing.runtime.intake import prepare_unstamped
from eventing.runtime.joins.parts import (
    FAILED,
    FILTERED,
    MARK,
    NOTHING,
    REPLIED,
    Part,
    arrival_of,
    mark_event,
    new_token,
    read_part,
    token_of,
)

ARRIVAL = 1_700_000_000_123_456_789
TOKEN = new_token(ARRIVAL, "c0ffee")


@given(
    branch=st.integers(0, 10_000),
    outcome=st.sampled_from([REPLIED, NOTHING, FILTERED, FAILED]),
    count=st.integers(1, 1000),
    share=st.floats(0, 1, exclude_max=True),
)
def test_a_part_is_read_as_it_was_written(branch, outcome, count, share):
    part = Part(TOKEN, branch, outcome, int(share * count), count)
    assert read_part(part.to_text()) == part
    assert token_of(part.to_text()) == TOKEN


def test_a_token_tells_when_its_event_came():
    assert arrival_of(TOKEN) == pytest.approx(ARRIVAL / 1e9)
    assert read_part(TOKEN) is None
    assert token_of(TOKEN) == TOKEN


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x-y",
        "zz",
        f"{TOKEN}/1",
        f"{TOKEN}/1/lost/0/1",
        f"{TOKEN}/1/replied/1/1",
        f"{TOKEN}/1/replied/0/0",
        f"{TOKEN}/1/replied/0/99999999",
        f"{TOKEN}/one/replied/0/1",
        f"{TOKEN}/1/replied/0/1/2",
    ],
)
def test_anything_else_is_no_part(value):
    with pytest.raises(ValueError):
        read_part(value)


def test_an_event_is_marked_whatever_mark_it_had():
    given_event = Event({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", MARK: "old"})
    event = prepare_unstamped(given_event, arrival_ns=ARRIVAL, headers=())
    mark_event(event, "c0ffee")
    assert event.attributes[MARK] == TOKEN
    assert attributes_of_head(event.head) == event.attributes
    assert event.head.count(b"ce-hearthjoin:") == 1

"""Notes are read as they were written, whatever they say; and anything else is nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.delivery import Hop
from eventing.runtime.notes import (
    HeldNote,
    Progress,
    Waiting,
    is_held,
    read_note,
    wait_of,
    write_note,
)
from eventing.runtime.request import ErrorInfo

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MOMENTS = st.integers(0, 4 * 10**12).map(lambda milliseconds: milliseconds / 1000)
FAILURES = st.builds(ErrorInfo, TEXT, st.integers(300, 599), TEXT)
PROGRESS = st.builds(
    Progress, st.sampled_from(Hop), st.integers(0, 10**6), MOMENTS, st.none() | FAILURES
)
HELD = st.builds(
    HeldNote, MOMENTS, TEXT, FAILURES, st.integers(0, 599), TEXT, st.booleans(), TEXT, TEXT, TEXT
)


WAITING = st.builds(Waiting, MOMENTS)


@given(PROGRESS | HELD | WAITING)
def test_notes_are_read_as_written(note):
    assert read_note(write_note(note)) == note


@given(PROGRESS | HELD | WAITING)
def test_what_is_held_is_known_by_its_beginning(note):
    assert is_held(write_note(note)) == isinstance(note, HeldNote)


def test_no_event_is_due_earlier_for_having_been_written_down():
    read = read_note(write_note(Waiting(1.23456)))
    assert isinstance(read, Waiting) and read.due >= 1.23456


def test_no_note_grows_with_the_event():
    failure = ErrorInfo("http://sink", 500, "")
    note = HeldNote(1, "why", failure, 0, "e" * 5000, False, "i" * 5000, "s" * 5000, "t" * 5000)
    assert len(write_note(note)) < 1200


@pytest.mark.parametrize(
    "text", ["", "-", "[", "[]", "{}", '["t"]', '["t","nowhere",1,2,null]', "7"]
)
def test_what_nobody_can_read_is_no_note(text):
    assert read_note(text) is None


@pytest.mark.parametrize(
    ("now", "wait"), [(90, 10), (99.5, 0.5), (100, 0), (200, 0), (10, 60), (-(10**9), 60)]
)
def test_the_wait_goes_on_where_it_was_whatever_the_clock_does(now, wait):
    assert wait_of(Progress(Hop.SUBSCRIBER, 1, due=100), now=now, longest=60) == wait

"""Duplicates are told by source and id, within a window, and are not those of another place."""

from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.duplicates import Duplicates

SECOND = 10**9


def test_an_event_that_came_before_is_a_duplicate_for_a_while():
    seen = Duplicates(10)
    assert not seen.is_duplicate(("/s", "1"), 0, 0)
    assert seen.is_duplicate(("/s", "1"), 1 * SECOND, 1)
    assert seen.is_duplicate(("/s", "1"), 10 * SECOND, 2), "of the first one, not of the last"
    assert not seen.is_duplicate(("/s", "1"), 11 * SECOND, 3)


def test_both_source_and_id_name_an_event():
    seen = Duplicates(10)
    assert not seen.is_duplicate(("/a", "1"), 0, 0)
    assert not seen.is_duplicate(("/b", "1"), 0, 1)
    assert not seen.is_duplicate(("/a", "2"), 0, 2)


def test_an_event_read_again_is_no_duplicate_of_itself():
    seen = Duplicates(10)
    assert not seen.is_duplicate(("/s", "1"), 0, 7)
    assert not seen.is_duplicate(("/s", "1"), 0, 7)


def test_no_more_are_remembered_than_may_be():
    seen = Duplicates(10, most=100)
    for number in range(1000):
        seen.is_duplicate(("/s", str(number)), 0, number)
    assert len(seen) == 100
    assert seen.is_duplicate(("/s", "950"), 0, 2000)
    assert not seen.is_duplicate(("/s", "5"), 0, 2001)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=60))
def test_against_a_plain_model(steps):
    seen, now = Duplicates(10), 0
    first: dict[str, int] = {}
    for position, (key, passed) in enumerate(steps):
        now += passed
        expected = key in first and now - first[key] <= 10
        assert seen.is_duplicate(("/s", key), now * SECOND, position) == expected
        if not expected:
            first[key] = now

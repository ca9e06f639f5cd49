"""Loops are found by what caused what, and named from a subscription to itself."""

from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.causes import MOST, PASSES, caused_by, loop_in

NAMES = st.lists(st.sampled_from("abcd"), max_size=40)


def causes_of(names):
    causes: tuple[str, ...] = ()
    for name in names:
        causes = caused_by(causes, name)
    return causes


def test_a_way_that_passes_a_few_times_is_no_loop():
    assert loop_in(()) == ()
    assert loop_in(causes_of("abab")) == ()
    assert loop_in(causes_of("abcdab")) == ()


def test_a_loop_is_named():
    assert loop_in(causes_of("aaa")) == ("a", "a")
    assert loop_in(causes_of("xababa")) == ("a", "b", "a")
    assert loop_in(causes_of("abcabcabc")) == ("c", "a", "b", "c")


@given(NAMES)
def test_what_is_kept_is_bounded(names):
    assert causes_of(names) == tuple(names)[-MOST:]


@given(NAMES)
def test_a_loop_leads_from_one_to_itself_and_was_gone_before(names):
    causes = causes_of(names)
    loop = loop_in(causes)
    if loop:
        assert loop[0] == loop[-1] == names[-1]
        assert names[-1] not in loop[1:-1]
        assert causes[-len(loop) :] == loop
    assert bool(loop) == bool(causes and causes.count(causes[-1]) >= PASSES)

"""Wishes on the wire: what is written is read again, and nothing else is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.api.stats import Event, StatsError, StatsReader, WishList, encode_hello
from serving.api.wishes import (
    LONGEST_TEXT,
    MOST_TRIGGERS,
    Wish,
    WishFormula,
    WishTrigger,
    encode_wishes,
)

WORDS = st.text(max_size=20)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
PODS = st.none() | st.integers(0, 2**31 - 1)
TRIGGERS = st.builds(WishTrigger, WORDS, NUMBERS, NUMBERS, PODS, WORDS)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
FORMULAS = st.builds(
    WishFormula,
    WORDS,
    st.dictionaries(WORDS, NUMBERS, max_size=3).map(lambda said: tuple(sorted(said.items()))),
    FLOATS,
    FLOATS,
    *(3 * [st.integers(0, 2**31 - 1)]),
)
WISHES = st.builds(
    Wish,
    st.sampled_from(["Service", "Revision"]),
    WORDS,
    WORDS,
    WORDS,
    PODS,
    st.lists(TRIGGERS, max_size=4).map(tuple),
    WORDS,
    st.none() | FORMULAS,
)


def read(line: bytes) -> list[Event]:
    reader = StatsReader(lambda token: token == b"secret")
    reader.receive(encode_hello("secret", "keda"))
    return reader.receive(line)


@given(st.lists(WISHES, max_size=3).map(tuple))
def test_what_is_written_is_read(wishes: tuple[Wish, ...]) -> None:
    assert read(encode_wishes(wishes)) == [WishList(wishes)]


def test_what_a_scaler_saw_may_be_no_number_and_long() -> None:
    odd = [WishTrigger("s0", math.nan, math.inf, None, "x" * 9999)] * 999
    (told,) = read(encode_wishes([Wish("Service", "ns", "a", "ns/so", 2**40, tuple(odd))]))
    assert isinstance(told, WishList)
    assert told.wishes[0].replicas == 2**31 - 1
    triggers = told.wishes[0].triggers
    assert triggers == (WishTrigger("s0", text="x" * LONGEST_TEXT),) * MOST_TRIGGERS


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"wishes": 5}\n', id="no list"),
        pytest.param(b'{"wishes": [["Service", "ns"]]}\n', id="too short"),
        pytest.param(b'{"wishes": [["Pod", "ns", "a", "ns/so", 1, [], ""]]}\n', id="another kind"),
        pytest.param(b'{"wishes": [["Service", "ns", "a", "ns/so", "x", [], ""]]}\n', id="words"),
        pytest.param(b'{"wishes": [["Service", "ns", "a", "s", 1, [[1]], ""]]}\n', id="trigger"),
        pytest.param(b'{"wishes": [["Service", "ns", "a", "s", 1, 7, ""]]}\n', id="triggers"),
        pytest.param(
            b'{"wishes": [["Service", "ns", "a", "s", 1, [], "", ["f"]]]}\n', id="formula"
        ),
        pytest.param(
            b'{"wishes": [["Service", "ns", "a", "s", 1, [], "", ["f", 3, 1, 0, 0, 1, 1]]]}\n',
            id="values",
        ),
    ],
)
def test_what_is_no_wish_ends_the_connection(line: bytes) -> None:
    with pytest.raises(StatsError, match="malformed wish"):
        read(line)


def test_what_a_later_version_adds_is_left_alone() -> None:
    line = b'{"wishes": [["Revision", "ns", "a", "s", 1, [["t", 1, 2, 3, "", 9]], "", null, {}]]}\n'
    wish = Wish("Revision", "ns", "a", "s", 1, (WishTrigger("t", 1, 2, 3),))
    assert read(line) == [WishList((wish,))]

"""How much of a consumer group's lag counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.scalers.kafka_lag import Lag, Rules
from hearth.keda.scalers.seam import Reading

_NONE = -1


def offsets(*each: int) -> dict[tuple[str, int], int]:
    return {("jobs", number): offset for number, offset in enumerate(each)}


def lag(rules: Rules, committed: tuple[int, ...], ends: tuple[int, ...]) -> Reading:
    return Lag(rules).reading(offsets(*committed), offsets(*ends))


@pytest.mark.parametrize(
    ("rules", "committed", "ends", "value", "active"),
    [
        pytest.param(Rules(10), (1, 2), (5, 5), 7, True, id="the sum of partitions"),
        pytest.param(Rules(10, 7), (1, 2), (5, 5), 7, False, id="not above the activation"),
        pytest.param(Rules(2), (0, 0), (50, 50), 4, True, id="a consumer for each partition"),
        pytest.param(
            Rules(2, allow_idle_consumers=True), (0, 0), (50, 50), 100, True, id="idle ones too"
        ),
        pytest.param(
            Rules(2, limit_to_partitions_with_lag=True), (0, 9), (50, 9), 2, True, id="lagging"
        ),
        pytest.param(Rules(10), (_NONE, _NONE), (5, 5), 2, True, id="nothing committed: one each"),
        pytest.param(
            Rules(10, reads_from_start=True), (_NONE, 5), (5, 5), 5, True, id="from the start: all"
        ),
        pytest.param(
            Rules(10, scale_to_zero_on_invalid_offset=True), (_NONE,), (5,), 0, False, id="zero"
        ),
        pytest.param(Rules(10), (9, 1), (5, 5), 4, True, id="a topic made anew hides no other lag"),
        pytest.param(
            Rules(5, even_distribution=True), (0,) * 6, (4,) * 6, 30, True, id="6 rather than 5"
        ),
        pytest.param(
            Rules(1, even_distribution=True), (0,) * 2, (9,) * 2, 2, True, id="not more than 2"
        ),
    ],
)
def test_what_counts(rules, committed, ends, value, active):
    assert lag(rules, committed, ends) == Reading(value, active)


def test_lag_that_stays_where_it_is_does_not_count_but_is_active():
    looked = Lag(Rules(10, exclude_persistent_lag=True))
    assert looked.reading(offsets(1, 2), offsets(5, 5)) == Reading(7, True)
    assert looked.reading(offsets(1, 3), offsets(5, 5)) == Reading(2, True)
    assert looked.reading(offsets(1, 3), offsets(5, 5)) == Reading(0, True)
    assert looked.reading(offsets(5, 5), offsets(5, 5)) == Reading(0, False)


_OFFSETS = st.lists(st.tuples(st.integers(-1, 50), st.integers(0, 50)), max_size=8)


@given(
    _OFFSETS,
    st.builds(
        Rules,
        st.integers(1, 20),
        st.integers(0, 5),
        st.booleans(),
        st.just(False),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
)
def test_it_is_never_negative_and_asks_for_no_more_consumers_than_partitions(pairs, rules):
    committed, ends = (offsets(*each) for each in zip(*pairs, strict=True)) if pairs else ({}, {})
    value = Lag(rules).reading(committed, ends).value
    assert value >= 0
    assert value // rules.threshold <= len(pairs)

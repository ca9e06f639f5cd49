"""What is said of a new revision's requests, and of how many."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.observability.histogram import BOUNDS
from serving.api.rollouts import Latency, Rollback, parse_rollback
from serving.autoscaler.outcomes import BUCKETS, WINDOW_SECONDS, Tally, verdict

FAST, SLOW = BOUNDS.index(0.05), BOUNDS.index(1.0)


def tally(least: int = 1, **counts: int) -> Tally:
    found = Tally(least)
    of = {"fast": FAST, "slow": SLOW, "failed": FAST + BUCKETS}
    found.add(0.0, {of[name]: count for name, count in counts.items()})
    return found


@pytest.mark.parametrize(
    "bounds, counted, words",
    [
        ("errors>5%", {"fast": 95, "failed": 5}, ""),
        (
            "errors>5%",
            {"fast": 94, "failed": 6},
            "6.0% of 100 requests failed (6 of them), more than 5%",
        ),
        ("errors>0%", {"fast": 19, "failed": 0}, ""),
        ("errors>5%", {"failed": 19}, ""),  # too few to say anything
        ("errors>5% requests>=19", {"failed": 19}, "100.0% of 19 requests failed (19 of them), m"),
        ("p95>500ms", {"fast": 95, "slow": 5}, ""),
        ("p95>500ms", {"fast": 90, "slow": 10}, "p95 of 100 requests was 750ms, more than 500ms"),
        ("p50>500ms", {"fast": 90, "slow": 10}, ""),
        ("p95>500ms", {"failed": 100}, ""),  # fast failures are no long times
    ],
)
def test_a_verdict_has_the_numbers(bounds: str, counted: dict[str, int], words: str) -> None:
    said = verdict(parse_rollback(bounds), tally(**counted))
    assert said.startswith(words) if words else said == ""


def test_nothing_is_said_of_nothing() -> None:
    assert verdict(Rollback(0.0, (Latency(50, 0.001),), 1), Tally(1)) == ""


def test_old_reports_count_no_more_once_there_are_enough_new_ones() -> None:
    found = Tally(10)
    found.add(0.0, {FAST + BUCKETS: 10})
    found.add(WINDOW_SECONDS + 1, {FAST: 9})
    assert found.errors == 10  # else there would be too few
    found.add(WINDOW_SECONDS + 2, {FAST: 9})
    assert (found.requests, found.errors) == (18, 0)


def test_what_took_longest_is_called_a_minute() -> None:
    found = Tally(1)
    found.add(0.0, {BUCKETS - 1: 5, 99: 7, -1: 3})
    assert found.requests == 5
    assert found.percentile(95) == 60.0


_REPORTS = st.lists(
    st.tuples(
        st.floats(0, 100),
        st.dictionaries(st.integers(0, 2 * BUCKETS - 1), st.integers(0, 50), max_size=4),
    ),
    max_size=30,
)


@given(reports=_REPORTS, least=st.integers(1, 100))
def test_a_tally_is_the_sum_of_the_reports_that_it_keeps(
    reports: list[tuple[float, dict[int, int]]], least: int
) -> None:
    found, now, kept = Tally(least), 0.0, []
    for after, counts in reports:
        now += after
        found.add(now, counts)
        kept.append((now, counts))
        while kept[0][0] <= now - WINDOW_SECONDS:
            rest = sum(sum(each.values()) for _, each in kept[1:])
            if rest < least:
                break
            kept.pop(0)
    total: Counter[int] = Counter()
    for _, counts in kept:
        total.update(counts)
    assert found.requests == total.total()
    assert found.errors == sum(n for bucket, n in total.items() if bucket >= BUCKETS)
    assert 0 <= found.percentile(50) <= found.percentile(99) <= 60.0


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "expected bounds such as"),
        ("requests>=20", "expected bounds such as"),
        ("errors>5", "'errors>5' is none of"),
        ("errors>100%", "errors are less than 100%"),
        ("p10>1s", "percentiles are p50 to p99"),
        ("p95>2h", "'2h' is no time from 1ms to 1m"),
        ("p95>x", "'x' is no time"),
        ("errors>5% requests>=0", "requests are from 1"),
        ("errors>5% p95", "'p95' is none of"),
    ],
)
def test_bounds_that_are_none(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_rollback(text)


@pytest.mark.parametrize(
    "text",
    ["errors>2.5% p95>500ms requests>=50", "errors > 2.5%, p95 > 0.5s; requests >= 50"],
)
def test_bounds_are_read(text: str) -> None:
    assert parse_rollback(text) == Rollback(2.5, (Latency(95, 0.5),), 50)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        parse_rollback(text)
    except ValueError as error:
        assert str(error)

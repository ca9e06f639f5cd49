"""Tokens change step by step, and nobody is shut out on the way."""

from __future__ import annotations

import datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.tokens import LAST, NEXT, OVERLAP, SHOWN, SINCE, TOKEN, Files, Tokens, renewed

NOW = datetime.datetime(2026, 11, 29, 12, 0, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def at(moment: datetime.datetime) -> bytes:
    return moment.isoformat(timespec="seconds").encode()


def of(files: Files) -> Tokens:
    tokens = Tokens()
    tokens.take(files)
    return tokens


def test_an_empty_secret_is_filled() -> None:
    assert renewed({}, NOW, lambda: "a") == {TOKEN: b"a", SINCE: at(NOW)}
    assert renewed({TOKEN: b"", NEXT: b""}, NOW, lambda: "a") == {TOKEN: b"a", SINCE: at(NOW)}


def test_made_by_chance_they_are_long_and_differ() -> None:
    made = [renewed({}, NOW) for _ in range(2)]
    assert made[0] and made[1]
    assert made[0][TOKEN] != made[1][TOKEN]
    assert min(len(each[TOKEN]) for each in made if each) >= 40


def test_one_that_is_no_text_is_made_anew() -> None:
    assert renewed({TOKEN: b"\xff", SINCE: at(NOW)}, NOW, lambda: "a") == {
        TOKEN: b"a",
        SINCE: at(NOW),
    }


@pytest.mark.parametrize(
    "since", [b"", b"yesterday", b"\xff", b"2026-11-29T12:00:00", at(NOW + 3 * HOUR)]
)
def test_without_a_time_that_can_be_it_counts_from_now_on(since: bytes) -> None:
    assert renewed({TOKEN: b"a", SINCE: since}, NOW) == {TOKEN: b"a", SINCE: at(NOW)}


def test_the_steps_of_a_change() -> None:
    made = {TOKEN: b"a", SINCE: at(NOW)}
    assert renewed(made, NOW + SHOWN - HOUR) is None
    then = NOW + SHOWN
    known = renewed(made, then, lambda: "b")
    assert known == {TOKEN: b"a", NEXT: b"b", SINCE: at(then)}
    assert renewed(known, then + OVERLAP / 2) is None
    then += OVERLAP
    shown = renewed(known, then)
    assert shown == {TOKEN: b"b", LAST: b"a", SINCE: at(then)}
    assert renewed(shown, then + OVERLAP / 2) is None
    over = renewed(shown, then + OVERLAP)
    assert over == {TOKEN: b"b", SINCE: at(then)}
    assert renewed(over, then + SHOWN - HOUR) is None


@given(st.lists(st.floats(0.1, 1000.0), max_size=60))
def test_who_is_one_step_behind_is_let_in_and_lets_in(hours: list[float]) -> None:
    names, now = map("token {}".format, count()), NOW
    before: Files = renewed({}, now, lambda: next(names)) or {}
    for each in hours:
        now += each * HOUR
        after = renewed(before, now, lambda: next(names)) or before
        assert of(after).accepts(of(before).shown.encode())
        assert of(before).accepts(of(after).shown.encode())
        before = after


def test_before_there_is_one_nobody_is_let_in() -> None:
    tokens = Tokens()
    assert not tokens.accepts(b"")
    tokens.take({})
    tokens.take({TOKEN: b"\xff"})
    assert not tokens.accepts(b"")
    assert tokens.shown == ""


def test_all_three_are_accepted_and_one_is_shown() -> None:
    tokens = of({TOKEN: b"a", NEXT: b"b", LAST: b"c", SINCE: b"d"})
    assert all(map(tokens.accepts, (b"a", b"b", b"c")))
    assert not any(map(tokens.accepts, (b"d", b"")))
    assert tokens.shown == "a"


def test_an_emptied_secret_leaves_what_was_known() -> None:
    tokens = of({TOKEN: b"a"})
    tokens.take({})
    assert tokens.shown == "a"
    assert tokens.accepts(b"a")


def test_one_that_was_given_stays() -> None:
    assert Tokens("a").accepts(b"a")
    assert not Tokens("a").accepts(b"b")
    assert Tokens("").accepts(b"")

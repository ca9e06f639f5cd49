"""Cron schedules."""

from __future__ import annotations

import pytest

from hearth.cluster.kinds.cronschedule import parse_schedule


def test_fields() -> None:
    schedule = parse_schedule("*/20 8-10 1,15 jan-mar mon")
    assert schedule.minutes == {0, 20, 40}
    assert schedule.hours == {8, 9, 10}
    assert schedule.days == {1, 15}
    assert schedule.months == {1, 2, 3}
    assert schedule.weekdays == {1}


def test_a_step_from_a_number_runs_to_the_end() -> None:
    assert parse_schedule("50/5 * * * *").minutes == {50, 55}


def test_words() -> None:
    assert parse_schedule("@hourly") == parse_schedule("0 * * * *")
    assert parse_schedule("@weekly") == parse_schedule("0 0 * * 0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty spec string"),
        ("whenever", "expected exactly 5 fields, found 1: [whenever]"),
        ("* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]"),
        ("@often", "unrecognized descriptor: @often"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        (
            "a * * * *",
            'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax',
        ),
    ],
)
def test_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_schedule(text)
    assert str(caught.value) == message

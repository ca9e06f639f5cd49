"""Cron schedules."""

from __future__ import annotations

import pytest

from hearth.kube.cronschedule import BadZone, CronSchedule, Interval, parse_schedule


def fields(text: str, *, with_seconds: bool = False) -> CronSchedule:
    schedule = parse_schedule(text, with_seconds=with_seconds)
    assert isinstance(schedule, CronSchedule)
    return schedule


def test_fields() -> None:
    schedule = fields("*/20 8-10 1,15 jan-mar mon")
    assert schedule.minutes == {0, 20, 40}
    assert schedule.hours == {8, 9, 10}
    assert schedule.days == {1, 15}
    assert schedule.months == {1, 2, 3}
    assert schedule.weekdays == {1}


def test_a_step_from_a_number_runs_to_the_end() -> None:
    assert fields("50/5 * * * *").minutes == {50, 55}


def test_seconds_may_come_first() -> None:
    assert fields("*/30 * * * * *", with_seconds=True).seconds == {0, 30}
    assert fields("* * * * *", with_seconds=True).seconds == {0}
    with pytest.raises(ValueError, match=r"expected 5 to 6 fields, found 1: \[often\]"):
        parse_schedule("often", with_seconds=True)


def test_time_zones() -> None:
    assert fields("CRON_TZ=Europe/Prague  0 6 * * ?").zone == "Europe/Prague"
    assert fields("TZ=UTC @daily").hours == {0}
    with pytest.raises(BadZone, match="provided bad location No/Where: unknown time zone No/Where"):
        parse_schedule("TZ=No/Where 0 6 * * *")


def test_intervals() -> None:
    assert parse_schedule("@every 1h30m") == Interval(5400)
    with pytest.raises(ValueError, match="failed to parse duration @every often"):
        parse_schedule("@every often")


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

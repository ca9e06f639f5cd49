"""When schedules tick, in the calendar of robfig/cron."""

from __future__ import annotations

import datetime
import itertools
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.cronschedule import CronSchedule, parse_schedule
from hearth.kube.cronticks import Schedule


def at(text: str, zone: str = "UTC") -> float:
    moment = datetime.datetime.fromisoformat(text)
    return moment.replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp()


def shown(moment: float | None, zone: str = "UTC") -> str:
    assert moment is not None
    return datetime.datetime.fromtimestamp(moment, tz=zoneinfo.ZoneInfo(zone)).isoformat()[:19]


@pytest.mark.parametrize(
    ("text", "after", "tick"),
    [
        ("* * * * *", "2026-11-29T10:00:00", "2026-11-29T10:01:00"),
        ("*/5 * * * *", "2026-11-29T10:01:00", "2026-11-29T10:05:00"),
        ("*/10 * * * * *", "2026-11-29T10:00:03", "2026-11-29T10:00:10"),
        ("? * * * * *", "2026-11-29T10:00:03", "2026-11-29T10:00:04"),
        ("0 0 * * SUN", "2026-11-29T10:00:00", "2026-12-06T00:00:00"),
        ("@hourly", "2026-11-29T10:00:00", "2026-11-29T11:00:00"),
        ("@monthly", "2026-11-29T10:00:00", "2026-12-01T00:00:00"),
        ("@weekly", "2026-11-30T10:00:00", "2026-12-06T00:00:00"),
        ("@yearly", "2026-11-30T10:00:00", "2027-01-01T00:00:00"),
        ("TZ=UTC @daily", "2026-11-30T10:00:00", "2026-12-01T00:00:00"),
        # Days of the month and of the week: either, unless one of them is a star.
        ("0 0 13 * FRI", "2026-11-29T10:00:00", "2026-12-04T00:00:00"),
        ("0 0 */2 * MON", "2026-11-29T10:00:00", "2026-11-30T00:00:00"),
        ("0 0 1-31 * MON", "2026-11-30T10:00:00", "2026-12-01T00:00:00"),
        ("0 0 * * MON", "2026-11-30T10:00:00", "2026-12-07T00:00:00"),
        ("0 0 29 2 *", "2026-11-30T10:00:00", "2028-02-29T00:00:00"),
    ],
)
def test_the_next_tick(text: str, after: str, tick: str) -> None:
    assert shown(Schedule(text).after(at(after))) == tick


def test_a_moment_within_a_second_is_before_the_next() -> None:
    assert Schedule("* * * * * *").after(10.5) == 11
    assert Schedule("* * * * * *").after(11) == 12


def test_what_never_comes() -> None:
    assert Schedule("0 0 30 2 *").after(0) is None


@pytest.mark.parametrize("text", ["", "x", "* * * *", "61 * * * *", "@every x"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Schedule(text)
    with pytest.raises(ValueError, match="unknown time zone"):
        Schedule("* * * * *", "Mars/Base")


def test_seconds_are_a_matter_of_who_asks() -> None:
    with pytest.raises(ValueError, match="expected exactly 5 fields, found 6"):
        Schedule("0 * * * * *", with_seconds=False)


def test_an_interval_is_counted_from_where_one_begins() -> None:
    every = Schedule("@every 90s")
    assert list(itertools.islice(every.ticks(10.7), 2)) == [100.0, 190.0]
    assert every.latest(99.0, since=10.7) is None
    assert every.latest(300.0, since=10.0) == 280.0
    assert Schedule("@every 10ms").interval == 1.0


@given(
    minutes=st.sampled_from(["*", "*/7", "30", "0,59"]),
    hours=st.sampled_from(["*", "2", "9-17"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
    moment=st.floats(1_700_000_000, 1_900_000_000),
    back=st.floats(1, 200_000),
)
def test_the_latest_tick_is_the_last_one_that_came(
    minutes: str, hours: str, zone: str, moment: float, back: float
) -> None:
    schedule = Schedule(f"{minutes} {hours} * * *", zone)
    since = moment - back
    ticks = itertools.takewhile(lambda at: at <= moment, schedule.ticks(since))
    expected = max(ticks, default=None)
    assert schedule.latest(moment, since=since) == expected


def test_a_tick_of_now_is_the_latest_one_and_none_that_is_looked_from() -> None:
    schedule = Schedule("* * * * *")
    assert schedule.latest(120.0, since=119.0) == 120.0
    assert schedule.latest(120.0, since=120.0) is None
    assert Schedule("0 0 30 2 *").latest(1e9, since=0) is None


BERLIN = "Europe/Berlin"


def test_a_time_zone_has_its_summer() -> None:
    noon = Schedule("0 12 * * *", BERLIN)
    assert shown(noon.after(at("2026-03-28T13:00:00", BERLIN))) == "2026-03-29T10:00:00"
    assert shown(noon.after(at("2026-03-27T13:00:00", BERLIN))) == "2026-03-28T11:00:00"
    assert noon.after(0) == Schedule("CRON_TZ=Europe/Berlin 0 12 * * *").after(0)


def test_the_hour_that_is_left_out_has_no_tick_and_the_one_that_comes_twice_has_two() -> None:
    early = Schedule("30 2 * * *", BERLIN)
    spring = early.ticks(at("2026-03-28T12:00:00", BERLIN))
    assert shown(next(spring), BERLIN) == "2026-03-30T02:30:00"
    autumn = early.ticks(at("2026-10-24T12:00:00", BERLIN))
    twice = [shown(tick) for tick in itertools.islice(autumn, 2)]
    assert twice == ["2026-10-25T00:30:00", "2026-10-25T01:30:00"]


NUMBERS = st.lists(st.integers(0, 59), min_size=1, max_size=3).map(lambda n: ",".join(map(str, n)))


@given(
    seconds=NUMBERS,
    minutes=NUMBERS,
    day=st.sampled_from(["*", "1-15", "31", "*/3", "?"]),
    weekday=st.sampled_from(["*", "1-5", "SUN", "*/2"]),
    start=st.integers(0, 2_000_000_000),
)
def test_every_tick_is_one_of_the_schedule(
    seconds: str, minutes: str, day: str, weekday: str, start: int
) -> None:
    text = f"{seconds} {minutes} * {day} * {weekday}"
    wanted = parse_schedule(text, with_seconds=True)
    assert isinstance(wanted, CronSchedule)
    last = float(start)
    for tick in itertools.islice(Schedule(text).ticks(start), 5):
        moment = datetime.datetime.fromtimestamp(tick, tz=datetime.UTC)
        assert tick > last
        assert moment.second in wanted.seconds and moment.minute in wanted.minutes
        by_day = moment.day in wanted.days
        by_weekday = moment.isoweekday() % 7 in wanted.weekdays
        either = day in ("1-15", "31", "*/3") and weekday != "*"
        assert (by_day or by_weekday) if either else (by_day and by_weekday)
        last = tick

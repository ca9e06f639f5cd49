"""Schedules of bounds: when windows are open, on any clock, and what is said of wrong ones."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.api.schedule import (
    LONGEST_TEXT,
    UNSCHEDULED,
    Scheduled,
    ScheduleError,
    parse_windows,
    scheduled,
)

MINUTE, HOUR, DAY = 60, 3600, 86400
OFFICE = "[{start: 0 8 * * 1-5, end: 0 18 * * 1-5, timezone: Europe/Berlin, minScale: 3}]"


def at(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> float:
    moment = datetime.datetime.fromisoformat(text)
    return moment.replace(tzinfo=zoneinfo.ZoneInfo(zone), fold=fold).timestamp()


def floor(text: str, moment: float) -> int | None:
    return scheduled(parse_windows(text), moment).min_scale


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param("2026-11-30T07:59:59", None, id="before"),
        pytest.param("2026-11-30T08:00:00", 3, id="from the moment it starts"),
        pytest.param("2026-11-30T17:59:59", 3, id="to the last second"),
        pytest.param("2026-11-30T18:00:00", None, id="not when it ends"),
        pytest.param("2026-11-28T12:00:00", None, id="on Saturday"),
    ],
)
def test_it_is_open_from_a_start_to_the_next_end(moment: str, expected: int | None) -> None:
    assert floor(OFFICE, at(moment)) == expected


def test_it_is_known_when_it_changes() -> None:
    friday = at("2026-11-27T18:00:00")
    assert scheduled(parse_windows(OFFICE), friday).changes_at == at("2026-11-30T08:00:00")
    assert scheduled(parse_windows(OFFICE), friday - 1).changes_at == friday


def test_a_window_may_end_another_month() -> None:
    """From a day that few months have, for two days."""
    text = '[{"start": "0 0 31 * *", "end": "0 0 2 * *", "maxScale": 5}]'
    open_at = [
        scheduled(parse_windows(text), at(f"2026-0{month}-{day}T12:00:00", "UTC")).max_scale
        for month, day in ((1, 31), (2, "01"), (2, 10), (3, "01"))
    ]
    assert open_at == [5, 5, None, None]


def test_of_several_windows_the_greatest_floor_and_the_least_ceiling_count() -> None:
    text = """
    - {start: 0 8 * * *, end: 0 18 * * *, minScale: 2, maxScale: 20}
    - {start: 0 12 * * *, end: 0 14 * * *, minScale: 7}
    - {start: 0 13 * * *, end: 0 15 * * *, maxScale: 5}
    """
    windows = parse_windows(text)
    bounds = [scheduled(windows, hour * HOUR).bound(1, 0) for hour in (9, 12, 13, 14, 20)]
    assert bounds == [(2, 20), (7, 20), (5, 5), (2, 5), (1, 0)]


def test_a_window_may_lower_a_floor_and_lift_a_ceiling() -> None:
    assert Scheduled(min_scale=0, max_scale=50).bound(3, 10) == (0, 50)
    assert UNSCHEDULED.bound(5, 3) == (5, 3)  # what annotations say is Knative's to bound


# -- summer time ----------------------------------------------------------------------------------


def test_a_start_that_is_left_out_comes_when_the_clocks_jump() -> None:
    text = "[{start: 30 2 * * *, end: 0 6 * * *, timezone: Europe/Berlin, minScale: 1}]"
    jump = at("2027-03-28T03:00:00")
    windows = parse_windows(text)
    assert scheduled(windows, jump - 1) == Scheduled(changes_at=jump)
    assert floor(text, jump) == 1
    assert floor(text, at("2027-03-28T05:59:59")) == 1
    assert floor(text, at("2027-03-28T06:00:00")) is None


def test_a_time_that_comes_twice_counts_once() -> None:
    text = "[{start: 30 2 * * *, end: 45 2 * * *, timezone: Europe/Berlin, minScale: 1}]"
    first, second = at("2026-10-25T02:35:00"), at("2026-10-25T02:35:00", fold=1)
    assert second - first == HOUR
    assert (floor(text, first), floor(text, second)) == (1, None)
    assert scheduled(parse_windows(text), second).changes_at == at("2026-10-26T02:30:00")


ZONES = ("Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC")
TIMES = st.tuples(st.integers(0, 59), st.integers(0, 23))


@given(
    st.sampled_from(ZONES),
    TIMES,
    TIMES,
    st.sampled_from(["2026-10-24", "2027-03-27", "2026-10-03", "2027-04-03", "2026-10-31"]),
    st.integers(0, 3 * DAY),
)
def test_whatever_the_clocks_do_changes_are_foretold(
    zone: str, start: tuple[int, int], end: tuple[int, int], day: str, later: int
) -> None:
    """Daily windows: nothing changes before the moment foretold; then it does, once a day each."""
    if start == end:
        return
    text = f'[{{"start": "{start[0]} {start[1]} * * *", "end": "{end[0]} {end[1]} * * *", '
    windows = parse_windows(text + f'"timezone": "{zone}", "minScale": 1}}]')
    now = at(f"{day}T00:00:00", zone) + later
    seen = scheduled(windows, now)
    assert seen.changes_at is not None
    assert now < seen.changes_at <= now + DAY + HOUR
    for share in (0.25, 0.5, 0.999):
        between = now + (seen.changes_at - now) * share
        assert scheduled(windows, between).min_scale == seen.min_scale
    then = scheduled(windows, seen.changes_at)
    assert then.min_scale != seen.min_scale or jumps(seen.changes_at, zone)


def jumps(moment: float, zone: str) -> bool:
    """Whether clocks are changed: all that lies in the time left out is one moment."""
    places = [datetime.datetime.fromtimestamp(moment - s, zoneinfo.ZoneInfo(zone)) for s in (0, 1)]
    return places[0].utcoffset() != places[1].utcoffset()


def test_what_lies_in_the_time_left_out_does_not_open() -> None:
    text = "[{start: 10 2 * * *, end: 40 2 * * *, timezone: Europe/Berlin, minScale: 1}]"
    jump = at("2027-03-28T03:00:00")
    seen = [floor(text, jump + later) for later in (-1, 0, 1, HOUR)]
    assert seen == [None] * 4
    assert scheduled(parse_windows(text), jump).changes_at == at("2027-03-29T02:10:00")


# -- what is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        pytest.param("[", "", "it is neither JSON nor YAML: ", id="no YAML"),
        pytest.param("start: 5", "", "expected a list of windows", id="no list"),
        pytest.param("[]", "", "expected a list of windows", id="empty"),
        pytest.param("[5]", "[0]", "expected a window: start, end, ", id="no window"),
        pytest.param(
            OFFICE.replace("minScale", "minscale"),
            "[0].minscale",
            "expected one of start, end, timezone, minScale, maxScale",
            id="unknown field",
        ),
        pytest.param(
            OFFICE.replace("Berlin", "Berlim"),
            "[0].timezone",
            "expected the name of a time zone, such as Europe/Berlin",
            id="unknown zone",
        ),
        pytest.param(
            OFFICE.replace("Europe/Berlin", "../../etc/passwd"),
            "[0].timezone",
            "expected the name of a time zone",
            id="a path",
        ),
        pytest.param(
            OFFICE.replace("0 8 * * 1-5", "0 8 * *"),
            "[0].start",
            "expected exactly 5 fields, found 4",
            id="too few fields",
        ),
        pytest.param(
            OFFICE.replace("0 18 ", "0 25 "), "[0].end", "end of range (25) above", id="no hour"
        ),
        pytest.param(
            OFFICE.replace("0 8 * * 1-5", "0 8 31 2 *"), "[0].start", "no such day", id="never"
        ),
        pytest.param(
            OFFICE.replace("0 8 * * 1-5", '"@every 1h"'), "[0].start", "@every is no", id="every"
        ),
        pytest.param(
            OFFICE.replace("0 8", "TZ=UTC 0 8"), "[0].start", "timezone", id="zone in the text"
        ),
        pytest.param("[{start: 8, end: 9, minScale: 1}]", "[0].start", "cron", id="a number"),
        pytest.param("[{end: 0 9 * * *, minScale: 1}]", "[0].start", "cron", id="no start"),
        pytest.param(
            "[{start: 0 9 * * *, end: 0  9 * * *, minScale: 1}]",
            "[0].end",
            "it ends when it starts",
            id="no length",
        ),
        pytest.param(OFFICE.replace(", minScale: 3", ""), "[0]", "expected minScale", id="bounds"),
        pytest.param(OFFICE.replace("3}", "-1}"), "[0].minScale", "from 0 on", id="negative"),
        pytest.param(OFFICE.replace("3}", "true}"), "[0].minScale", "whole number", id="true"),
        pytest.param(
            OFFICE.replace("minScale: 3", "maxScale: 0"), "[0].maxScale", "from 1 on", id="zero"
        ),
        pytest.param(
            OFFICE.replace("3}", "3, maxScale: 2}"), "[0].minScale", "more than maxScale", id="both"
        ),
        pytest.param(f"[{'0,' * 60}]", "", "at most 50 windows", id="too many"),
        pytest.param("0" * (LONGEST_TEXT + 1), "", "longer than", id="too long"),
        pytest.param("[" * 5000, "", "neither JSON nor YAML", id="too deep"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, path: str, message: str) -> None:
    with pytest.raises(ScheduleError) as told:
        parse_windows(text)
    assert told.value.path == path
    assert message in str(told.value)

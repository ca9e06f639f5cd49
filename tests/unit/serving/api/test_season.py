"""Seasons: which slot a moment is in, by whose clocks."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest

from serving.api.season import parse_season


def at(text: str, zone: str) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("text", "zone", "moment", "name"),
    [
        pytest.param("daily", "UTC", "2026-11-30T08:04:59", "08:00", id="a day"),
        pytest.param("weekly", "UTC", "2026-11-30T00:00:00", "Mon 00:00", id="Monday"),
        pytest.param("weekly", "UTC", "2026-11-29T23:59:59", "Sun 23:55", id="Sunday"),
        pytest.param(
            "weekly Europe/Berlin", "Europe/Berlin", "2026-07-06T00:30:00", "Mon 00:30", id="summer"
        ),
        pytest.param(
            "daily Europe/Berlin", "Europe/Berlin", "2026-12-06T08:00:00", "08:00", id="winter"
        ),
    ],
)
def test_slots_go_by_the_clock(text: str, zone: str, moment: str, name: str) -> None:
    season = parse_season(text)
    assert season.name(season.slot(at(moment, zone))) == name


def test_there_are_as_many_as_fit() -> None:
    assert (parse_season("daily").slots, parse_season("weekly").slots) == (288, 2016)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "expected daily or weekly", id="nothing"),
        pytest.param("monthly", "expected daily or weekly", id="another"),
        pytest.param("daily UTC please", "expected daily or weekly", id="more"),
        pytest.param("daily Europe/Berlim", "such as Europe/Berlin", id="no zone"),
        pytest.param("daily ../../etc/passwd", "such as Europe/Berlin", id="a path"),
    ],
)
def test_what_is_wrong_is_told(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_season(text)

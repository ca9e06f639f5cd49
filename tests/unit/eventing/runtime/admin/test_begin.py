"""Where people want to begin to read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.engines.seam import Start, StartTime
from eventing.runtime.admin.begin import AtPosition, OfEvent, parse_begin, seconds_of

NOW = 1_700_000_000.0


def ago(seconds: float) -> StartTime:
    return StartTime(int((NOW - seconds) * 1e9))


@pytest.mark.parametrize(
    ("text", "begin"),
    [
        ("10m", ago(600)),
        ("1h30m", ago(5400)),
        ("1.5s", ago(1.5)),
        ("250ms", ago(0.25)),
        ("2d", ago(172_800)),
        ("99999999999d", ago(1e9)),
        ("2023-11-14T22:13:20Z", StartTime(1_700_000_000_000_000_000)),
        ("2023-11-14T23:13:20+01:00", StartTime(1_700_000_000_000_000_000)),
        ("time:10m", ago(600)),
        ("earliest", Start.EARLIEST),
        ("0", AtPosition("0")),
        ("4711", AtPosition("4711")),
        ("offset:1:7", AtPosition("1:7")),
        ("id:4711", OfEvent("4711")),
        ("id:10m", OfEvent("10m")),
        ("order-7", OfEvent("order-7")),
        ("urn:uuid:7", OfEvent("urn:uuid:7")),
        ("10 m", OfEvent("10 m")),
    ],
)
def test_what_a_text_means(text: str, begin: object) -> None:
    assert parse_begin(text, now=NOW) == begin


@pytest.mark.parametrize("text", ["", "id:", "time:yesterday", "2023-13-40T00:00:00Z"])
def test_what_means_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="10m"):
        parse_begin(text, now=NOW)


@given(st.text())
def test_every_id_can_be_said(event_id: str) -> None:
    if event_id:
        assert parse_begin(f"id:{event_id}", now=NOW) == OfEvent(event_id)


@pytest.mark.parametrize("text", ["", "10", "m", "10 m", "1h 30m", "-1s", "10x"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        seconds_of(text)

from __future__ import annotations

import pytest

from hearth.cluster.lifecycle.housekeeping import is_expired
from hearth.cluster.model.objects import Key, encode, make_entry

HOUR = 3600.0
NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


@pytest.mark.parametrize(
    ("event", "expired"),
    [
        pytest.param({"lastTimestamp": "2027-01-15T07:30:00Z"}, False, id="half an hour"),
        pytest.param({"lastTimestamp": "2027-01-15T06:59:59Z"}, True, id="over an hour"),
        pytest.param({"eventTime": "2027-01-15T07:30:00.000000Z"}, False, id="new form"),
        pytest.param(
            {
                "lastTimestamp": "2027-01-15T05:00:00Z",
                "series": {"lastObservedTime": "2027-01-15T07:59:00.000000Z"},
            },
            False,
            id="seen again",
        ),
        pytest.param({"lastTimestamp": None}, True, id="only made"),
    ],
)
def test_events_live_for_an_hour_after_they_were_last_seen(
    event: dict[str, object], expired: bool
) -> None:
    metadata = {"name": "e", "namespace": "n", "creationTimestamp": "2027-01-15T06:00:00Z"}
    obj = {"apiVersion": "v1", "kind": "Event", "metadata": metadata} | event
    entry = make_entry(Key("events", "n", "e"), 1, encode(obj, 1))
    assert is_expired(entry, NOW, HOUR) is expired

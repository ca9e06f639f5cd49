"""When an event is of no use any more, by its own words."""

import pytest

from eventing.runtime.expiry import is_expired

NOW = 1_704_067_200.0  # 2024-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2023-12-31T23:59:59Z", True),
        ("2023-12-31t23:59:59.999z", True),
        ("2024-01-01T00:00:00Z", True),
        ("2024-01-01T00:00:01Z", False),
        ("2024-01-01T00:30:00+01:00", True),
        ("2023-12-31T23:30:00-01:00", False),
        ("2024-01-01T00:00:00.123456789Z", False),
        ("2023-12-31", False),
        ("2023-12-31T23:59:59", False),
        ("2023-13-31T23:59:59Z", False),
        ("soon", False),
        ("", False),
    ],
)
def test_expiry(given, expected):
    assert is_expired({"expirytime": given}, now=NOW) == expected


def test_most_events_say_nothing():
    assert not is_expired({"id": "1"}, now=NOW)

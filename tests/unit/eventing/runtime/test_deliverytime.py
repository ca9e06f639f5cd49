"""When an event asks to be delivered."""

import pytest

from eventing.runtime.deliverytime import LONGEST_SECONDS, due_at, wait_of
from hearth.kube.clock import rfc3339

NOW = 1_704_067_200.0  # 2024-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("2024-01-01T00:00:10Z", NOW + 10),
        ("2024-01-01T01:00:10+01:00", NOW + 10),
        ("2024-01-01t00:00:10.25z", NOW + 10.25),
        ("2023-01-01T00:00:00Z", NOW - 365 * 86400),
        (rfc3339(NOW + LONGEST_SECONDS), NOW + LONGEST_SECONDS),
    ],
)
def test_times(text, due):
    assert due_at(text, now=NOW) == due
    assert wait_of(text, now=NOW) == max(due - NOW, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("soon", "'soon' is no time"),
        ("", "'' is no time"),
        ("1704067210", "'1704067210' is no time"),
        ("2024-01-01", "is no time"),
        ("2024-13-01T00:00:00Z", "is no time that there is"),
        (rfc3339(NOW + LONGEST_SECONDS + 1), "is more than 7 days ahead"),
        ("x" * 5000, f"'{'x' * 64}' is no time"),
    ],
)
def test_what_cannot_be_waited_for_is_said_and_not_waited_for(text, said):
    with pytest.raises(ValueError, match=said):
        due_at(text, now=NOW)
    assert wait_of(text, now=NOW) == 0


def test_who_asks_for_nothing_does_not_wait():
    assert wait_of(None, now=NOW) == 0

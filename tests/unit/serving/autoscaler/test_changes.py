from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hearth.knative.explanation import Explanation, Step
from serving.autoscaler.changes import MOST, ScaleChange, ScaleChanges, change_of

KEY = ("ns", "hello-00001")
SEES = {"readyPods": 0, "stable": 1.0, "panic": 12.0, "waiting": 12, "panicMode": False}


def explained(wish: int) -> Explanation:
    steps = (
        Step("stable window", 2, "ceil(12 / 7) = 2", decides=True),
        Step("panic window", 2, "below"),
        Step("bounds", wish, "min 0, max 3", decides=True),
    )
    return Explanation(*KEY, "kpa", wish, steps, facts={"sees": SEES})


def test_a_change_has_the_last_rule_that_decided_and_what_was_seen() -> None:
    change = change_of(1_700_000_000.25, 0, 2, explained(2), "12 waiting in a")
    assert change.json() == {
        "at": "2023-11-14T22:13:20.250Z",
        "from": 0,
        "to": 2,
        "decidedBy": "bounds",
        "why": "min 0, max 3",
        "cause": "12 waiting in a",
        "sees": {"readyPods": 0, "stable": 1.0, "panic": 12.0, "waiting": 12},
    }


def test_a_number_that_the_autoscaler_does_not_want_is_somebody_elses() -> None:
    change = change_of(0.0, 2, 5, explained(2), "")
    assert (change.rule, change.why) == ("", "the autoscaler wants 2")
    of_nobody = change_of(0.0, 2, 5, Explanation(*KEY, "hpa", -1), "")
    assert (of_nobody.rule, of_nobody.why, of_nobody.sees) == ("", "", {})


@given(st.integers(0, 3 * MOST))
def test_only_the_last_changes_are_kept(count: int) -> None:
    changes = ScaleChanges()
    for number in range(count):
        changes.note(KEY, ScaleChange(number, number, number + 1, "r", "w", {}))
    told = changes.of(KEY)
    assert [each["to"] for each in told] == list(range(count, max(0, count - MOST), -1))
    changes.forget(KEY)
    assert changes.of(KEY) == []

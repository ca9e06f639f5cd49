from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hearth.knative.conditions import ConditionManager, ConditionSet

KINDS = ConditionSet("Ready", ("A", "B"))


def fresh(now: float = 0.0) -> ConditionManager:
    conditions = KINDS.manage(None, now=now)
    conditions.initialize()
    return conditions


def test_starts_unknown_and_sorted() -> None:
    assert [(c["type"], c["status"]) for c in fresh().list()] == [
        ("A", "Unknown"),
        ("B", "Unknown"),
        ("Ready", "Unknown"),
    ]


def test_happy_when_all_dependents_are() -> None:
    conditions = fresh()
    conditions.mark_true("A")
    assert not conditions.is_happy()
    conditions.mark_true("B")
    assert conditions.is_happy()


def test_a_false_dependent_speaks_for_the_whole() -> None:
    conditions = fresh()
    conditions.mark_false("A", "Broken", "it broke")
    conditions.mark_true("B")
    ready = conditions.get("Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", "Broken", "it broke")


def test_unknown_does_not_hide_false() -> None:
    conditions = fresh()
    conditions.mark_false("A", "Broken")
    conditions.mark_unknown("B", "Waiting")
    assert conditions.is_false("Ready")


def test_other_conditions_only_inform() -> None:
    conditions = fresh()
    conditions.mark_true("A")
    conditions.mark_true("B")
    conditions.mark_false("Active", "NoTraffic")
    assert conditions.is_happy()
    active = conditions.get("Active")
    assert active is not None and active["severity"] == "Info"


def test_time_moves_only_with_a_change() -> None:
    first = fresh(now=100)
    first.mark_false("A", "Broken", "x")
    later = KINDS.manage(first.list(), now=200)
    later.mark_false("A", "Broken", "x")
    assert later.list() == first.list()
    later.mark_false("A", "Broken", "y")
    changed = later.get("A")
    assert changed is not None and changed["lastTransitionTime"] == "1970-01-01T00:03:20Z"


@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from(["True", "False", "Unknown"]))))
def test_happy_follows_from_the_last_word_on_each_dependent(marks: list[tuple[str, str]]) -> None:
    conditions = fresh()
    last = {"A": "Unknown", "B": "Unknown"}
    for kind, status in marks:
        last[kind] = status
        conditions.propagate(kind, {"status": status, "reason": "R"})
    statuses = set(last.values())
    assert conditions.is_happy() == (statuses == {"True"})
    assert conditions.is_false("Ready") == ("False" in statuses)

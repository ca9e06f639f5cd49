from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.conditions import UNKNOWN, Conditions
from hearth.kube.meta import Object

READY = {
    "type": "Ready",
    "status": "False",
    "reason": "Because",
    "message": "of this",
    "lastTransitionTime": "2026-11-20T16:40:00Z",
}


def an_object(*conditions: Object) -> Object:
    return {"status": {"conditions": list(conditions)}}


@pytest.mark.parametrize(
    "obj",
    [
        pytest.param(None, id="no-object"),
        pytest.param({}, id="no-status"),
        pytest.param({"status": None}, id="null-status"),
        pytest.param({"status": {}}, id="no-conditions"),
        pytest.param({"status": {"conditions": None}}, id="null-conditions"),
        pytest.param(an_object({"type": "Other", "status": "True"}), id="another-one"),
        pytest.param(an_object({"status": "True"}), id="one-without-type"),
    ],
)
def test_what_is_not_there_is_unknown(obj: Object | None) -> None:
    conditions = Conditions.of(obj)
    assert conditions.get("Ready") is None
    assert conditions.status("Ready") == UNKNOWN
    assert not conditions.is_true("Ready") and not conditions.is_false("Ready")
    assert conditions.reason("Ready") == conditions.message("Ready") == ""
    assert conditions.transition_time("Ready") == ""


def test_what_is_there_is_found() -> None:
    conditions = Conditions.of(an_object({"type": "Other", "status": "True"}, READY))
    assert conditions.get("Ready") is READY, "nothing is copied"
    assert conditions.is_false("Ready") and conditions.is_true("Other")
    assert (conditions.reason("Ready"), conditions.message("Ready")) == ("Because", "of this")
    assert conditions.transition_time("Ready") == READY["lastTransitionTime"]
    assert list(conditions.by_type()) == ["Other", "Ready"]
    assert [condition["type"] for condition in conditions] == ["Other", "Ready"]


@given(st.dictionaries(st.text(), st.sampled_from(["True", "False", "Unknown"])))
def test_each_is_found_by_its_type(statuses: dict[str, str]) -> None:
    conditions = Conditions.of(
        an_object(*({"type": kind, "status": status} for kind, status in statuses.items()))
    )
    assert {kind: conditions.status(kind) for kind in statuses} == statuses

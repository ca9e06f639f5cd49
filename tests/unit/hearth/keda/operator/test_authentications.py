"""Who uses which authentication."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.operator.authentications import Item, Users, used_by

KIND, CLUSTER = "TriggerAuthentication", "ClusterTriggerAuthentication"


def an_object(*references: Any) -> dict[str, Any]:
    triggers = [{"type": "cron", "authenticationRef": each} for each in references]
    return {"metadata": {"name": "web", "namespace": "ns"}, "spec": {"triggers": triggers}}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        pytest.param(an_object({"name": "a"}), {(KIND, ("ns", "a"))}, id="of-its-namespace"),
        pytest.param(an_object({"name": "a", "kind": ""}), {(KIND, ("ns", "a"))}, id="no-kind"),
        pytest.param(
            an_object({"name": "a", "kind": CLUSTER}), {(CLUSTER, ("", "a"))}, id="of-all"
        ),
        pytest.param(an_object({"name": "a"}, {"name": "a"}), {(KIND, ("ns", "a"))}, id="twice"),
        pytest.param(an_object({"name": "a", "kind": "Secret"}), set(), id="no-such-kind"),
        pytest.param(an_object(None, {}), set(), id="none"),
        pytest.param({"metadata": {}, "spec": {"triggers": [None]}}, set(), id="nonsense"),
        pytest.param({"metadata": {}}, set(), id="no-spec"),
    ],
)
def test_what_an_object_uses(obj: dict[str, Any], expected: set[Item]) -> None:
    assert used_by(obj) == expected


A, B = (KIND, ("ns", "a")), (CLUSTER, ("", "b"))


def test_users_are_listed_by_name() -> None:
    users = Users()
    assert users.note("scaledobjects", ("ns", "web"), {A, B}) == {A, B}
    users.note("scaledobjects", ("other", "web"), {B})
    users.note("scaledobjects", ("ns", "api"), {B})
    users.note("scaledjobs", ("ns", "job"), {B})
    assert users.status_of(A) == {"scaledobjects": "web"}
    assert users.status_of(B) == {"scaledobjects": "api,web", "scaledjobs": "job"}
    # Only those whose users are others now are to be looked at.
    assert users.note("scaledobjects", ("ns", "web"), {B}) == {A}
    assert users.status_of(A) == {}
    assert users.note("scaledobjects", ("ns", "web"), set()) == {B}
    assert users.status_of(B) == {"scaledobjects": "api,web", "scaledjobs": "job"}


@given(st.lists(st.tuples(st.sampled_from("wxyz"), st.sets(st.sampled_from([A, B])))))
def test_it_comes_to_what_was_said_last(said: list[tuple[str, set[Item]]]) -> None:
    users = Users()
    for name, uses in said:
        users.note("scaledobjects", ("ns", name), uses)
    last = dict(said)
    for item in (A, B):
        names = ",".join(sorted(name for name, uses in last.items() if item in uses))
        assert users.status_of(item) == ({"scaledobjects": names} if names else {})

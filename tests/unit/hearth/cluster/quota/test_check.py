"""One quota and one object: is it concerned, does it fit."""

from typing import Any

import pytest

from hearth.cluster.quota.amounts import parse_amounts
from hearth.cluster.quota.check import Refused, read_quota


def a_quota(hard: dict[str, str], **spec: Any) -> Any:
    return read_quota({"metadata": {"name": "q"}, "spec": {"hard": hard, **spec}})


def pod(**spec: Any) -> Any:
    given = {"containers": [{"name": "b"}, {"name": "a"}], **spec}
    return {"metadata": {}, "spec": given, "status": {"qosClass": "BestEffort"}}


def selected(operator: str, *values: str) -> Any:
    each = {"scopeName": "PriorityClass", "operator": operator, "values": list(values)}
    return {"scopeSelector": {"matchExpressions": [each]}}


@pytest.mark.parametrize(
    ("spec", "given", "is_concerned"),
    [
        ({}, {}, True),
        ({"scopes": ["BestEffort"]}, {}, True),
        ({"scopes": ["NotBestEffort"]}, {}, False),
        ({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 1}, True),
        ({"scopes": ["NotTerminating"]}, {"activeDeadlineSeconds": 1}, False),
        ({"scopes": ["BestEffort", "Terminating"]}, {}, False),
        ({"scopes": ["CrossNamespacePodAffinity"]}, {}, False),
        (selected("Exists"), {"priorityClassName": "high"}, True),
        (selected("Exists"), {}, False),
        (selected("DoesNotExist"), {}, True),
        (selected("In", "high"), {"priorityClassName": "high"}, True),
        (selected("In", "low"), {"priorityClassName": "high"}, False),
        (selected("NotIn", "low"), {}, True),
    ],
)
def test_scopes_say_which_pods_are_concerned(spec: Any, given: Any, *, is_concerned: bool) -> None:
    assert a_quota({"pods": "1"}, **spec).concerns("pods", pod(**given)) is is_concerned


def test_a_quota_with_a_scope_is_about_pods_alone() -> None:
    quota = a_quota({"pods": "1", "count/secrets": "1"}, scopes=["BestEffort"])
    assert not quota.concerns("secrets", {"metadata": {}})
    assert a_quota({"count/secrets": "1"}).concerns("secrets", {"metadata": {}})
    assert not a_quota({"count/secrets": "1"}).concerns("configmaps", {"metadata": {}})


def test_who_is_limited_has_to_say_what_it_needs() -> None:
    quota = a_quota({"limits.cpu": "1", "memory": "1", "limits.ephemeral-storage": "1"})
    with pytest.raises(Refused) as caught:
        quota.check("pods", pod())
    assert str(caught.value) == "failed quota: q: must specify limits.cpu for: a,b; memory for: a,b"
    quota.check("pods", pod(resources={"limits": {"cpu": "1"}}))
    quota.check("services", {"metadata": {}})


def test_only_what_does_not_fit_is_named() -> None:
    quota = a_quota({"pods": "2", "cpu": "1", "memory": "1Gi"})
    used = parse_amounts({"pods": "2", "cpu": "900m"})
    with pytest.raises(Refused) as caught:
        quota.check_room(used, parse_amounts({"cpu": "200m", "pods": "1", "memory": "1Gi"}))
    assert str(caught.value) == (
        "exceeded quota: q, requested: cpu=200m,pods=1, used: cpu=900m,pods=2, "
        "limited: cpu=1,pods=2"
    )
    quota.check_room(used, parse_amounts({"cpu": "100m", "services": "9"}))


def test_what_is_used_beyond_the_limit_stops_nobody_who_needs_none_of_it() -> None:
    quota = a_quota({"pods": "1", "cpu": "1"})
    assert quota.check_room(parse_amounts({"cpu": "5"}), parse_amounts({"cpu": "0"})) is None

"""What ResourceQuotas and LimitRanges may say."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.kinds.quotas import LIMIT_RANGE, RESOURCE_QUOTA


def quota_problems(**spec: Any) -> list[str]:
    found = RESOURCE_QUOTA.validate({"metadata": {}, "spec": {"hard": {"pods": "1"}, **spec}})
    return [f"{error.field}: {error.message}" for error in found]


def selected(scope: str, operator: str, *values: str) -> Any:
    each = {"scopeName": scope, "operator": operator, "values": list(values)}
    return {"matchExpressions": [each]}


PATH = "spec.scopeSelector.matchExpressions"


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"hard": {"count/x.y.z": "1", "requests.example.com/gpu": "2"}}, ""),
        ({"hard": {"hugepages-2Mi": "1", "requests.hugepages-2Mi": "1"}}, ""),
        ({"hard": {"storage": "1"}}, "spec.hard[storage]: "),
        ({"hard": {"pods": "-1"}}, "spec.hard[pods]: "),
        ({"hard": {"a b/c": "1"}}, "spec.hard[a b/c]: "),
        ({"scopes": ["BestEffort"]}, ""),
        ({"scopes": ["Nonsense"]}, "spec.scopes: "),
        ({"scopes": ["BestEffort", "NotBestEffort"]}, "spec.scopes: "),
        ({"scopes": ["BestEffort"], "hard": {"cpu": "1"}}, "spec.scopes: "),
        ({"scopeSelector": selected("PriorityClass", "In", "high")}, ""),
        ({"scopeSelector": selected("PriorityClass", "In")}, f"{PATH}.values: "),
        ({"scopeSelector": selected("PriorityClass", "Exists", "high")}, f"{PATH}.values: "),
        ({"scopeSelector": selected("PriorityClass", "Sometimes")}, f"{PATH}.operator: "),
        ({"scopeSelector": selected("Terminating", "DoesNotExist")}, f"{PATH}.operator: "),
        ({"scopeSelector": selected("Nonsense", "Exists")}, f"{PATH}.scopeName: "),
    ],
)
def test_quotas(spec: Any, problem: str) -> None:
    found = quota_problems(**spec)
    assert len(found) == bool(problem)
    assert not problem or found[0].startswith(problem)


def test_the_scopes_of_a_quota_stay() -> None:
    old: Any = {"metadata": {}, "spec": {"scopes": ["BestEffort", "Terminating"]}}
    same: Any = {"metadata": {}, "spec": {"scopes": ["Terminating", "BestEffort"]}}
    other: Any = {"metadata": {}, "spec": {}}
    assert not list(RESOURCE_QUOTA.update(same, old))
    [error] = RESOURCE_QUOTA.update(other, old)
    assert (error.field, error.reason) == ("spec.scopes", "FieldValueInvalid")


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({"type": "Container", "min": {"cpu": "1"}, "max": {"cpu": "1"}}, ""),
        ({"type": "Container", "min": {"cpu": "2"}, "default": {"cpu": "1"}}, "default[cpu]"),
        ({"type": "Container", "default": {"cpu": "2"}, "max": {"cpu": "1"}}, "default[cpu]"),
        (
            {"type": "Container", "defaultRequest": {"cpu": "2"}, "default": {"cpu": "1"}},
            "defaultRequest[cpu]",
        ),
        ({"type": "Container", "max": {"storage": "1"}}, "max[storage]"),
        ({"type": "Pod", "default": {"cpu": "1"}}, "default"),
        ({"type": "Pod", "maxLimitRequestRatio": {"cpu": "500m"}}, "maxLimitRequestRatio[cpu]"),
        (
            {"type": "Pod", "maxLimitRequestRatio": {"cpu": "3"}, "min": {"cpu": "1"}}
            | {"max": {"cpu": "2"}},
            "maxLimitRequestRatio[cpu]",
        ),
        ({"type": "PersistentVolumeClaim", "min": {"storage": "1"}}, ""),
        ({"type": "PersistentVolumeClaim"}, "limits"),
        ({"type": "example.com/Thing"}, ""),
        ({"type": "Thing"}, "type"),
    ],
)
def test_limit_ranges(item: Any, problem: str) -> None:
    found = list(LIMIT_RANGE.validate({"metadata": {}, "spec": {"limits": [item]}}))
    assert [each.field for each in found] == ([f"spec.limits[0].{problem}"] if problem else [])


def test_each_type_is_limited_once() -> None:
    items = [{"type": "Pod", "max": {"cpu": "1"}}] * 2
    [error] = LIMIT_RANGE.validate({"metadata": {}, "spec": {"limits": items}})
    assert (error.field, error.reason) == ("spec.limits[1].type", "FieldValueDuplicate")

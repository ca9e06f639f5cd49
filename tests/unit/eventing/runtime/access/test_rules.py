"""Who may send what where."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.runtime.access.rules import is_allowed, rules_of

HERE = "system:serviceaccount:ns:default"


def policy(*subjects: str, ready: str = "True", filters: Any = ()) -> Any:
    conditions = [{"type": "Ready", "status": ready}]
    return {
        "spec": {"filters": list(filters)},
        "status": {"from": list(subjects), "conditions": conditions},
    }


def allowed(*policies: Any, subject: str = HERE, default: str = "deny-all", **event: str) -> bool:
    rules = rules_of(policies)
    return is_allowed(rules, subject, event, namespace="ns", default=default)


@pytest.mark.parametrize(
    ("default", "subject", "may"),
    [
        ("allow-all", "anybody", True),
        ("deny-all", HERE, False),
        ("allow-same-namespace", HERE, True),
        ("allow-same-namespace", "system:serviceaccount:ns2:default", False),
        ("allow-same-namespace", "system:serviceaccount:n:default", False),
        ("something else", HERE, True),
        ("something else", "anybody", False),
    ],
)
def test_without_a_policy_the_default_counts(default: str, subject: str, may: bool) -> None:
    assert allowed(subject=subject, default=default) is may


@pytest.mark.parametrize(
    ("named", "may"),
    [
        (HERE, True),
        (HERE.upper(), True),
        ("system:serviceaccount:ns:*", True),
        ("*", True),
        ("system:serviceaccount:other:*", False),
        (HERE[:-1], False),
        ("", False),
    ],
)
def test_a_policy_names_subjects(named: str, may: bool) -> None:
    assert allowed(policy(named), default="allow-all") is may


def test_filters_of_one_policy_that_names_the_subject_have_to_match() -> None:
    first = policy(HERE, filters=[{"exact": {"type": "a"}}])
    second = policy("*", filters=[{"exact": {"type": "b"}}, {"prefix": {"source": "/s"}}])
    assert allowed(first, second, type="a")
    assert allowed(first, second, type="b", source="/s")
    assert not allowed(first, second, type="b", source="/x")


@pytest.mark.parametrize(
    "useless",
    [policy("*", ready="False"), policy(), policy("*", filters=[{"cesql": "type ="}])],
)
def test_a_policy_that_does_not_work_lets_nobody_in(useless: Any) -> None:
    assert not allowed(useless, default="allow-all")
    assert allowed(useless, policy(HERE), default="deny-all")

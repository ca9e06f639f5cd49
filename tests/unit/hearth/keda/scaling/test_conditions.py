"""KEDA's conditions."""

from __future__ import annotations

import pytest

from hearth.keda.api.keys import Condition
from hearth.keda.scaling.conditions import FALLBACK, hpa_health, with_said
from hearth.keda.scaling.decide import Said


def test_conditions_begin_as_kedas_do() -> None:
    assert with_said([], []) == [
        {"type": "Ready", "status": "Unknown"},
        {"type": "Active", "status": "Unknown"},
        {"type": "Fallback", "status": "Unknown"},
        {"type": "Paused", "status": "False"},
    ]


def test_what_is_said_replaces_one_and_leaves_the_others() -> None:
    before = with_said([], [FALLBACK])
    after = with_said(before, [Said(Condition.READY, "True", "Fine", "All is well")])
    assert after[0] == {"type": "Ready", "status": "True", "reason": "Fine"} | {
        "message": "All is well"
    }
    assert after[2]["reason"] == "FallbackExists"
    assert with_said(after, []) == after


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        ("True", "ValidMetricFound", ("True", "HPAActive")),
        ("False", "ScalingDisabled", ("True", "ScalingDisabled")),
        ("False", "FailedGetExternalMetric", ("False", "FailedGetExternalMetric")),
        ("False", "", ("False", "HPAMetricsUnavailable")),
    ],
)
def test_the_hpas_own_word(status: str, reason: str, expected: tuple[str, str]) -> None:
    condition = {"type": "ScalingActive", "status": status, "reason": reason, "message": "why"}
    said = hpa_health({"status": {"conditions": [condition]}})
    assert said is not None
    assert (said.status, said.reason) == expected


def test_an_hpa_that_has_not_said_anything_changes_nothing() -> None:
    assert hpa_health({}) is None

from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.controllers.pacing import is_without_news
from hearth.kube.meta import Object


def a_replica_set(asked: int = 1, **status: Any) -> Object:
    return {"spec": {"replicas": asked}, "status": status}


def available(status: str) -> dict[str, Any]:
    return {"conditions": [{"type": "Available", "status": status}]}


@pytest.mark.parametrize(
    ("asked", "stored", "changed", "waits"),
    [
        pytest.param(1, {"replicas": 0}, {"replicas": 1}, True, id="counts-alone"),
        pytest.param(1, {"replicas": 1}, {"replicas": 1, "readyReplicas": 1}, False, id="ready"),
        pytest.param(
            1, {"replicas": 1, "readyReplicas": 1}, {"replicas": 1}, False, id="not-ready"
        ),
        pytest.param(
            1,
            {"readyReplicas": 1},
            {"readyReplicas": 1, "availableReplicas": 1},
            False,
            id="available",
        ),
        pytest.param(
            0,
            {"replicas": 1, "readyReplicas": 1},
            {"terminatingReplicas": 1},
            True,
            id="fewer-as-asked",
        ),
        pytest.param(0, {"terminatingReplicas": 1}, {}, False, id="the-last-one-is-gone"),
        pytest.param(0, {"replicas": 1, "readyReplicas": 1}, {}, False, id="gone-at-once"),
        pytest.param(2, {"readyReplicas": 3}, {"readyReplicas": 1}, False, id="fewer-than-asked"),
        pytest.param(1, available("True"), available("False"), False, id="another-condition"),
        pytest.param(1, {}, available("False"), True, id="a-first-condition"),
    ],
)
def test_counts_wait_and_news_do_not(
    asked: int, stored: dict[str, Any], changed: dict[str, Any], waits: bool
) -> None:
    before, after = a_replica_set(asked, **stored), a_replica_set(asked, **changed)
    assert is_without_news(before, after) is waits


def test_a_first_status_without_ready_pods_waits() -> None:
    assert is_without_news({}, a_replica_set(replicas=1))

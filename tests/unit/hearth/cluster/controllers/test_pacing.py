from __future__ import annotations

import pytest

from hearth.cluster.controllers.pacing import is_without_news
from hearth.kube.meta import Object


def a_replica_set(**counts: int) -> Object:
    return {"status": counts}


@pytest.mark.parametrize(
    ("stored", "changed", "waits"),
    [
        pytest.param({"replicas": 0}, {"replicas": 1}, True, id="counts-alone"),
        pytest.param({"replicas": 1}, {"replicas": 1, "readyReplicas": 1}, False, id="ready"),
        pytest.param({"replicas": 1, "readyReplicas": 1}, {"replicas": 1}, False, id="not-ready"),
        pytest.param(
            {"readyReplicas": 1},
            {"readyReplicas": 1, "availableReplicas": 1},
            False,
            id="available",
        ),
    ],
)
def test_counts_wait_and_news_do_not(
    stored: dict[str, int], changed: dict[str, int], waits: bool
) -> None:
    assert is_without_news(a_replica_set(**stored), a_replica_set(**changed)) is waits


def test_a_first_status_without_ready_pods_waits() -> None:
    assert is_without_news({}, a_replica_set(replicas=1))

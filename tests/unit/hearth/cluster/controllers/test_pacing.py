from __future__ import annotations

from typing import Any

from hearth.cluster.controllers.pacing import STATUS_DELAY_SECONDS, Paced, split
from hearth.kube.plan import Create, Event, Plan, UpdateStatus
from hearth.kube.resources import PODS, REPLICASETS

CREATE = Create(PODS, {"kind": "Pod"})
EVENT = Event({"kind": "ReplicaSet"}, "Normal", "Scaled", "to 1")


def a_status(**counts: Any) -> UpdateStatus:
    return UpdateStatus(REPLICASETS, {"status": counts})


def test_counts_wait_while_pods_are_made() -> None:
    paced = split(Plan((CREATE, EVENT, a_status(replicas=1))), {"replicas": 0})
    assert paced.now == Plan((CREATE,), requeue_after=STATUS_DELAY_SECONDS)
    assert (paced.events, paced.postponed) == ((EVENT,), True)


def test_a_pod_that_became_ready_is_told_at_once() -> None:
    plan = Plan((a_status(replicas=1, readyReplicas=1),))
    assert split(plan, {"replicas": 1}) == Paced(plan)


def test_a_pod_that_ceased_to_be_ready_is_told_at_once() -> None:
    plan = Plan((a_status(replicas=1),))
    assert split(plan, {"replicas": 1, "readyReplicas": 1}) == Paced(plan)


def test_what_waited_is_written() -> None:
    plan = Plan((a_status(replicas=1),), requeue_after=600)
    assert split(plan, None) == Paced(plan)


def test_an_earlier_wish_to_be_called_again_is_kept_and_the_status_still_waits() -> None:
    paced = split(Plan((a_status(replicas=1),), requeue_after=0.01), {})
    assert (paced.now.requeue_after, paced.postponed) == (0.01, True)

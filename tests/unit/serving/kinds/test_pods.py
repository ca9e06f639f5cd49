from __future__ import annotations

from hearth.kube.meta import Object
from hearth.kube.testing import FakeLister, an_object
from serving.api import keys
from serving.autoscaler.metrics import PodCounts
from serving.kinds import pods, sources

KEY = ("ns", "rev")


def a_pod(title: str, phase: str, *, ready: bool = False, ending: bool = False) -> Object:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    status = {"phase": phase, "conditions": conditions}
    pod = an_object(title, labels={keys.REVISION: "rev"}, status=status)
    if ending:
        pod["metadata"]["deletionTimestamp"] = "2026-11-20T16:40:00Z"
    return pod


LISTER = FakeLister(
    {
        sources.PODS: [
            a_pod("ready", "Running", ready=True),
            a_pod("starting", "Running"),
            a_pod("pending", "Pending"),
            a_pod("ending", "Running", ready=True, ending=True),
            an_object("another", labels={keys.REVISION: "other"}),
            an_object("nobodys"),
        ]
    }
)


def test_pods_by_their_state() -> None:
    counts = PodCounts(ready=1, not_ready=1, pending=1, terminating=1)
    assert pods.count(LISTER, KEY) == counts


def test_a_pod_that_is_ending_is_not_ready() -> None:
    assert pods.count_ready(LISTER, KEY) == 1
    assert pods.count_ready(LISTER, ("ns", "nothing")) == 0

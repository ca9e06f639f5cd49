from __future__ import annotations

from hearth.kube.views import Deployment, Pod, View, Workload


def test_a_view_of_nothing_has_no_fields() -> None:
    view = View(None)
    assert (view.spec, view.status, view.is_observed) == ({}, {}, True)
    assert Workload(None).current_replicas == 0


def test_a_status_tells_of_the_generation_it_says() -> None:
    metadata = {"generation": 2}
    assert not View({"metadata": metadata}).is_observed
    assert not View({"metadata": metadata, "status": {"observedGeneration": 1}}).is_observed
    assert View({"metadata": metadata, "status": {"observedGeneration": 2}}).is_observed


def test_defaults_are_those_of_kubernetes() -> None:
    view = Deployment({"spec": {}})
    assert (view.replicas, view.revision_history_limit) == (1, 10)
    assert view.progress_deadline is None
    assert not view.is_paused and not view.recreates
    assert Deployment({"spec": {"strategy": {"type": "Recreate"}}}).recreates


def test_a_pod_and_its_containers() -> None:
    ended = {"exitCode": 1}
    pod = Pod(
        {
            "spec": {"nodeName": "n"},
            "status": {
                "phase": "Running",
                "podIP": "127.0.0.1",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [
                    {"name": "a", "restartCount": 2, "lastState": {"terminated": ended}},
                    {"name": "b", "state": {"waiting": {"reason": "ErrImagePull"}}},
                ],
                "initContainerStatuses": [{"name": "i", "imageID": "x@sha256:1"}],
            },
        }
    )
    assert (pod.phase, pod.ip, pod.node_name) == ("Running", "127.0.0.1", "n")
    assert pod.is_ready and not pod.is_finished
    first, second = pod.container_statuses
    assert (first.name, first.restart_count, first.last_terminated) == ("a", 2, ended)
    assert first.waiting is None and first.terminated is None
    assert second.waiting == {"reason": "ErrImagePull"}
    assert [c.image_id for c in pod.all_container_statuses] == ["", "", "x@sha256:1"]


def test_a_pod_without_a_status_is_pending() -> None:
    pod = Pod({"spec": {}})
    assert (pod.phase, pod.ip, pod.node_name) == ("Pending", "", "")
    assert list(pod.container_statuses) == []

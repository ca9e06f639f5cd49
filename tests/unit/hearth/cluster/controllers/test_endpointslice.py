from __future__ import annotations

import json
from typing import Any

import pytest

from hearth.cluster.controllers import endpointslice, sources
from hearth.kube.meta import Object
from hearth.kube.plan import Create, Delete, Update
from hearth.kube.serviceports import PORTS_ANNOTATION


def a_service(**spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "uid": "s1", "labels": {"a": "b"}},
        "spec": {
            "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": "user-port"}],
            **spec,
        },
    }


def a_pod(name: str, port: int | None, *, ready: bool = True, **meta: Any) -> Object:
    marks = {PORTS_ANNOTATION: json.dumps({"8080": port})} if port else {}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "annotations": marks}
        | meta,
        "spec": {
            "nodeName": "here",
            "containers": [{"ports": [{"name": "user-port", "containerPort": 8080}]}],
        },
        "status": {
            "podIP": "127.0.0.1",
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }


def test_each_set_of_real_ports_is_a_slice() -> None:
    slices = endpointslice.make_slices(a_service(), [a_pod("a", 4001), a_pod("b", 4002)])
    assert sorted(s["ports"][0]["port"] for s in slices) == [4001, 4002]
    assert {s["metadata"]["labels"][endpointslice.SERVICE_NAME] for s in slices} == {"web"}
    assert len({s["metadata"]["name"] for s in slices}) == 2


def test_pods_with_declared_ports_share_slices_of_bounded_size() -> None:
    pods = [a_pod(f"p{i}", None) for i in range(150)]
    slices = endpointslice.make_slices(a_service(), pods)
    assert sorted(len(s["endpoints"]) for s in slices) == [50, 100]
    assert {s["ports"][0]["port"] for s in slices} == {8080}


def test_conditions_tell_starting_serving_and_leaving_apart() -> None:
    leaving = a_pod("c", 4003, deletionTimestamp="2026-01-01T00:00:00Z")
    pods = [a_pod("a", 4001), a_pod("b", 4002, ready=False), leaving]
    found = {
        s["endpoints"][0]["targetRef"]["name"]: s["endpoints"][0]["conditions"]
        for s in endpointslice.make_slices(a_service(), pods)
    }
    assert found == {
        "a": {"ready": True, "serving": True, "terminating": False},
        "b": {"ready": False, "serving": False, "terminating": False},
        "c": {"ready": False, "serving": True, "terminating": True},
    }


def test_reconcile_creates_updates_deletes_and_rests() -> None:
    service, pod = a_service(), a_pod("a", 4001, ready=False)
    made = endpointslice.reconcile(endpointslice.Observed(service, [pod], []))
    assert [type(a) for a in made.actions] == [Create]
    slice_ = made.actions[0].obj  # type: ignore[union-attr]
    assert not endpointslice.reconcile(endpointslice.Observed(service, [pod], [slice_]))
    now_ready = a_pod("a", 4001)
    plan = endpointslice.reconcile(endpointslice.Observed(service, [now_ready], [slice_]))
    assert [type(a) for a in plan.actions] == [Update]
    plan = endpointslice.reconcile(endpointslice.Observed(service, [], [slice_]))
    assert [type(a) for a in plan.actions] == [Delete]


def test_a_service_without_selector_is_left_to_others() -> None:
    assert endpointslice.make_slices(a_service(selector=None), [a_pod("a", 1)]) == []


def test_a_named_port_the_pod_lacks_is_left_out() -> None:
    service = a_service(ports=[{"name": "x", "port": 80, "targetPort": "other"}])
    assert endpointslice.make_slices(service, [a_pod("a", 4001)])[0]["ports"] == []


def test_what_changes_of_a_pod_that_leaves_can_wait_and_that_it_leaves_cannot() -> None:
    service = a_service()
    staying, leaving = a_pod("a", 4001), a_pod("a", 4001, deletionTimestamp="2026-01-01T00:00:00Z")
    ended = a_pod("a", 4001, ready=False, deletionTimestamp="2026-01-01T00:00:00Z")

    def can_wait(before: Object, after: Object) -> bool:
        known = endpointslice.make_slices(service, [before])
        (action,) = endpointslice.reconcile(endpointslice.Observed(service, [after], known)).actions
        assert isinstance(action, Update)
        return action.can_wait

    assert not can_wait(staying, leaving)
    assert can_wait(leaving, ended)
    assert not can_wait(staying, a_pod("a", 4001, ready=False))
    assert not can_wait(a_pod("a", 4001, ready=False), staying)


@pytest.mark.parametrize(
    ("service", "ready", "waits"),
    [
        pytest.param(a_service(), False, True, id="not ready"),
        pytest.param(a_service(), True, False, id="ready"),
        pytest.param(a_service(publishNotReadyAddresses=True), False, False, id="published so"),
    ],
)
def test_a_slice_of_pods_that_nobody_sends_to_can_wait(
    service: Object, ready: bool, waits: bool
) -> None:
    pod = a_pod("a", 4001, ready=ready)
    (action,) = endpointslice.reconcile(endpointslice.Observed(service, [pod], [])).actions
    assert isinstance(action, Create)
    assert action.can_wait is waits


ANNOTATIONS = {"annotations": {"hearth.dev/ports": "{}"}}


@pytest.mark.parametrize(
    ("before", "after", "concerns"),
    [
        pytest.param({}, {}, False, id="nothing"),
        pytest.param({}, {"resourceVersion": "9", "generation": 3}, False, id="version"),
        pytest.param({"ready": False}, {}, True, id="ready"),
        pytest.param({}, {"labels": {"app": "other"}}, True, id="labels"),
        pytest.param({}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}, True, id="leaves"),
        pytest.param({}, ANNOTATIONS, True, id="ports"),
    ],
)
def test_slices_go_by_what_they_show_of_a_pod(
    before: dict[str, Any], after: dict[str, Any], concerns: bool
) -> None:
    watch = next(w for w in endpointslice.CONTROLLER.watches if w.source == sources.PODS)
    assert watch.concerns(a_pod("a", 4001, **before), a_pod("a", 4001, **after)) is concerns

"""ServerlessService and Metric as Knative's clients read them, off a PodAutoscaler."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.crd.kinds import kinds_of
from hearth.kube.crdgen import crd_object
from serving.api import keys
from serving.api.serverless import METRIC, SERVERLESS_SERVICE

SECOND = 1_000_000_000
SINCE = "2026-11-30T07:00:00Z"


def a_podautoscaler(*, ready: str = "True", shown: str = "", **annotations: str) -> dict[str, Any]:
    own = {f"autoscaling.knative.dev/{k.replace('_', '-')}": v for k, v in annotations.items()}
    sks = {"type": "SKSReady", "status": ready, "lastTransitionTime": SINCE}
    status: dict[str, Any] = {
        "serviceName": "rev",
        "metricsServiceName": "rev-private",
        "conditions": [sks],
    }
    if shown:
        status["annotations"] = {keys.ACTIVATORS: shown}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "rev-deployment"}
    metadata = {
        "name": "rev",
        "namespace": "ns",
        "uid": "8f40623f-b42a-427b-8c35-fdd251a18dae",
        "creationTimestamp": SINCE,
    }
    return {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": metadata | ({"annotations": own} if own else {}),
        "spec": {"protocolType": "h2c", "scaleTargetRef": target},
        "status": status,
    }


def read(crd: Any, podautoscaler: dict[str, Any]) -> dict[str, Any]:
    (kind,) = kinds_of(crd_object(crd))
    assert kind.from_storage is not None
    return kind.from_storage(podautoscaler)


def conditions(view: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["status"] for c in view["status"]["conditions"]}


def test_activators_are_in_the_path_until_there_is_capacity_for_a_burst() -> None:
    view = read(SERVERLESS_SERVICE, a_podautoscaler())
    assert view["spec"] == {
        "mode": "Proxy",
        "numActivators": 3,
        "objectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "rev-deployment"},
        "protocolType": "h2c",
    }
    assert conditions(view) == {
        "ActivatorEndpointsPopulated": "True",
        "EndpointsPopulated": "True",
        "Ready": "True",
    }
    awake = a_podautoscaler()
    awake["status"]["actualScale"] = 2
    assert read(SERVERLESS_SERVICE, awake)["spec"]["numActivators"] == 5, "a burst, and two pods"
    serving = read(SERVERLESS_SERVICE, a_podautoscaler(shown="Serve 4"))
    assert (serving["spec"]["mode"], serving["spec"]["numActivators"]) == ("Serve", 4)
    assert conditions(serving)["ActivatorEndpointsPopulated"] == "False"


def test_without_pods_it_is_not_ready_in_knatives_words() -> None:
    view = read(SERVERLESS_SERVICE, a_podautoscaler(ready="Unknown", shown="Serve 4"))
    (ready,) = (c for c in view["status"]["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"], ready["message"]) == (
        "Unknown",
        "NoHealthyBackends",
        "K8s Service is not ready",
    )
    assert conditions(view)["ActivatorEndpointsPopulated"] == "True"


@pytest.mark.parametrize(
    ("annotations", "name"), [({}, "rev"), ({"target_burst_capacity": "7"}, "rev-private")]
)
def test_the_private_service_is_the_one_that_selects_the_pods(
    annotations: dict[str, str], name: str
) -> None:
    view = read(SERVERLESS_SERVICE, a_podautoscaler(**annotations))
    assert view["status"]["serviceName"] == "rev"
    assert view["status"]["privateServiceName"] == name


def test_one_that_has_no_status_yet_has_none() -> None:
    podautoscaler = a_podautoscaler()
    del podautoscaler["status"]
    for crd in (SERVERLESS_SERVICE, METRIC):
        view = read(crd, podautoscaler)
        assert view["status"] == {} and view["spec"]


@pytest.mark.parametrize(
    ("annotations", "stable", "panic"),
    [
        ({}, 60, 6),
        ({"window": "10s"}, 10, 1),
        ({"window": "2m", "panic_window_percentage": "20.0"}, 120, 24),
        ({"window": "6s", "panic_window_percentage": "1.0"}, 6, 1),
    ],
)
def test_windows_of_a_metric(annotations: dict[str, str], stable: int, panic: int) -> None:
    spec = read(METRIC, a_podautoscaler(**annotations))["spec"]
    assert (spec["stableWindow"], spec["panicWindow"]) == (stable * SECOND, panic * SECOND)
    assert spec["scrapeTarget"] == "rev-private"


def test_windows_of_settings_go_before_what_annotations_alone_say() -> None:
    podautoscaler = a_podautoscaler(window="10s")
    podautoscaler["status"]["annotations"] = {keys.AVERAGED: "10 3 asked"}
    spec = read(METRIC, podautoscaler)["spec"]
    assert (spec["stableWindow"], spec["panicWindow"]) == (10 * SECOND, 3 * SECOND)
    assert spec["scrapeTarget"] == "rev-private"
    podautoscaler["status"]["annotations"] = {keys.AVERAGED: "120 12 unasked"}
    spec = read(METRIC, podautoscaler)["spec"]
    assert (spec["stableWindow"], spec["scrapeTarget"]) == (120 * SECOND, "")


def test_with_activators_always_in_the_path_nothing_is_scraped() -> None:
    assert read(METRIC, a_podautoscaler(target_burst_capacity="-1"))["spec"]["scrapeTarget"] == ""

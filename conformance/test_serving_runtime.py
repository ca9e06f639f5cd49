"""What a container of a service may count on, and how requests reach it."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client

from conformance.programs import Programs
from conformance.rules import rule
from conformance.support import Cluster, until

Make = Callable[..., dict[str, Any]]


def test_scales_to_zero_and_wakes(cluster: Cluster, a_service: Make) -> None:
    window = {"annotations": {"autoscaling.knative.dev/window": "6s"}}
    cluster.create(a_service("sleeper", metadata=window))
    url = cluster.until_ready("Service", "sleeper")["status"]["url"]
    selector = "serving.knative.dev/service=sleeper"

    def pods() -> int:
        return len(
            cluster.core.list_namespaced_pod(cluster.namespace, label_selector=selector).items
        )

    until(lambda: pods() == 0, seconds=120, what="no pods")
    assert cluster.request(url).status == 200


def test_min_scale_keeps_pods(cluster: Cluster, a_service: Make) -> None:
    marks = {"autoscaling.knative.dev/min-scale": "2", "autoscaling.knative.dev/window": "6s"}
    cluster.create(a_service("floor", metadata={"annotations": marks}))
    cluster.until_ready("Service", "floor")
    deployment = cluster.get("Deployment", "floor-00001-deployment", "apps/v1")
    assert deployment["spec"]["replicas"] == 2


def test_configmaps_and_secrets_reach_the_environment(cluster: Cluster, a_service: Make) -> None:
    settings = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="conf"), data={"who": "Map"})
    cluster.core.create_namespaced_config_map(cluster.namespace, settings)
    reference = {"configMapKeyRef": {"name": "conf", "key": "who"}}
    service = a_service("from-map")
    service["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "TARGET", "valueFrom": reference}
    ]
    cluster.create(service)
    url = cluster.until_ready("Service", "from-map")["status"]["url"]
    assert cluster.request(url).body == "Hello Map!\n"


@pytest.mark.usefixtures("needs_delay")
def test_a_request_over_its_time_is_answered_504(cluster: Cluster, a_service: Make) -> None:
    slow = a_service("slow", env=[{"name": "DELAY", "value": "5"}], timeoutSeconds=1)
    cluster.create(slow)
    url = cluster.until_ready("Service", "slow")["status"]["url"]
    # The image would answer 200 after its delay: 504 can only have been said before that.
    assert cluster.request(url).status == 504


@pytest.mark.usefixtures("needs_delay")
def test_container_concurrency_is_a_hard_limit(cluster: Cluster, a_service: Make) -> None:
    one = a_service(
        "one-at-a-time",
        env=[{"name": "DELAY", "value": "0.5"}],
        containerConcurrency=1,
        metadata={"annotations": {"autoscaling.knative.dev/max-scale": "1"}},
    )
    cluster.create(one)
    url = cluster.until_ready("Service", "one-at-a-time")["status"]["url"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: cluster.request(url), range(4)))
    assert {answer.status for answer in answers} == {200}
    assert {answer.headers.get("X-Requests-In-Flight") for answer in answers} == {"1"}


@pytest.mark.usefixtures("needs_delay")
def test_a_response_that_starts_late_is_answered_504(cluster: Cluster, a_service: Make) -> None:
    slow = a_service(
        "late",
        env=[{"name": "DELAY", "value": "5"}],
        timeoutSeconds=30,
        responseStartTimeoutSeconds=1,
    )
    cluster.create(slow)
    url = cluster.until_ready("Service", "late")["status"]["url"]
    # The image would answer 200 after its delay: 504 can only have been said before that.
    assert cluster.request(url).status == 504


def test_a_service_waits_for_what_its_container_lacks(cluster: Cluster, a_service: Make) -> None:
    core, namespace = cluster.core, cluster.namespace
    service = a_service("patient")
    container = service["spec"]["template"]["spec"]["containers"][0]
    container["env"] = []
    container["envFrom"] = [{"secretRef": {"name": "later"}}]
    cluster.create(service)
    until(lambda: core.list_namespaced_pod(namespace).items, what="a pod")
    metadata = client.V1ObjectMeta(name="later")
    secret = client.V1Secret(metadata=metadata, string_data={"TARGET": "Secret"})
    core.create_namespaced_secret(namespace, secret)
    url = cluster.until_ready("Service", "patient", seconds=180)["status"]["url"]
    assert cluster.request(url).body == "Hello Secret!\n"


def test_an_unknown_host_is_not_found(cluster: Cluster) -> None:
    assert cluster.request("http://nobody.nowhere.example.invalid").status == 404


@rule("RC-05")
def test_a_container_that_answers_is_not_stopped(programs: Programs) -> None:
    # Longer than the window of the autoscaler, which would stop what has nothing to do.
    answer = programs.ask_for_long().result(280)
    assert answer.body == "Slept for 8000 milliseconds"

"""What objects count for in quotas."""

from typing import Any

import pytest

from hearth.cluster.quota.amounts import Amounts, minus, parse_amounts, plus, pod_amounts, words
from hearth.cluster.quota.usage import is_charged, resource_of, usage_of


def container(name: str = "c", requests: Any = None, limits: Any = None, **more: Any) -> Any:
    return {"name": name, "resources": {"requests": requests, "limits": limits}, **more}


def pod(*containers: Any, phase: str = "Running", **spec: Any) -> Any:
    return {"metadata": {}, "spec": {"containers": containers, **spec}, "status": {"phase": phase}}


def texts(amounts: Amounts) -> dict[str, str]:
    return {name: str(quantity) for name, quantity in amounts.items()}


def test_a_pod_counts_by_all_its_names() -> None:
    found = usage_of("pods", pod(container(requests={"cpu": "1"}, limits={"memory": "1Gi"})), 0)
    assert texts(found) == {
        "count/pods": "1",
        "pods": "1",
        "cpu": "1",
        "requests.cpu": "1",
        "limits.memory": "1Gi",
    }


def test_overhead_is_added_to_requests_and_to_limits_that_are_set() -> None:
    resources = container(requests={"cpu": "1"}, limits={"cpu": "2"})
    found = texts(usage_of("pods", pod(resources, overhead={"cpu": "1", "memory": "1"}), 0))
    assert (found["requests.cpu"], found["limits.cpu"]) == ("2", "3")
    assert found["requests.memory"] == "1" and "limits.memory" not in found


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_is_an_object_alone(phase: str) -> None:
    assert texts(usage_of("pods", pod(container(), phase=phase), 0)) == {"count/pods": "1"}


def test_a_pod_that_should_be_gone_counts_no_more() -> None:
    ending = pod(container())
    ending["metadata"] |= {"deletionTimestamp": "1970-01-01T00:01:00Z"}
    ending["metadata"] |= {"deletionGracePeriodSeconds": 5}
    assert "pods" in usage_of("pods", ending, 64)
    assert "pods" not in usage_of("pods", ending, 66)


def test_init_containers_count_beside_the_sidecars_before_them() -> None:
    spec = {
        "containers": [container(requests={"cpu": "1"})],
        "initContainers": [
            container(requests={"cpu": "5"}),
            container(requests={"cpu": "2"}, restartPolicy="Always"),
            container(requests={"cpu": "4"}),
        ],
    }
    assert texts(pod_amounts(spec, "requests")) == {"cpu": "6"}
    of_the_pod = spec | {"resources": {"requests": {"cpu": "3"}}}
    assert texts(pod_amounts(of_the_pod, "requests")) == {"cpu": "3"}


def test_resources_of_others_have_one_name() -> None:
    requests = {"example.com/gpu": "2", "hugepages-2Mi": "4Mi"}
    found = usage_of("pods", pod(container(requests=requests)), 0)
    assert found.keys() >= {"requests.example.com/gpu", "hugepages-2Mi", "requests.hugepages-2Mi"}
    assert "example.com/gpu" not in found


@pytest.mark.parametrize(
    ("spec", "ports", "balancers"),
    [
        ({"type": "ClusterIP"}, "0", "0"),
        ({"type": "NodePort"}, "2", "0"),
        ({"type": "LoadBalancer"}, "2", "1"),
        ({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}, "1", "1"),
    ],
)
def test_services_count_their_node_ports(spec: Any, ports: str, balancers: str) -> None:
    service = {"metadata": {}, "spec": {"ports": [{}, {"nodePort": 30000}], **spec}}
    found = texts(usage_of("services", service, 0))
    assert found["services.nodeports"] == ports
    assert found["services.loadbalancers"] == balancers


def test_claims_count_in_all_and_for_their_class() -> None:
    spec = {"storageClassName": "gold", "resources": {"requests": {"storage": "1Gi"}}}
    gold = "gold.storageclass.storage.k8s.io/"
    found = texts(usage_of("persistentvolumeclaims", {"metadata": {}, "spec": spec}, 0))
    assert found == {
        "count/persistentvolumeclaims": "1",
        "persistentvolumeclaims": "1",
        "requests.storage": "1Gi",
        f"{gold}persistentvolumeclaims": "1",
        f"{gold}requests.storage": "1Gi",
    }


def test_anything_else_is_counted() -> None:
    obj: Any = {"metadata": {}}
    assert usage_of("secrets", obj, 0).keys() == {"count/secrets", "secrets"}
    assert usage_of("services.serving.knative.dev", obj, 0).keys() == {
        "count/services.serving.knative.dev"
    }


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("pods", "pods"),
        ("limits.memory", "pods"),
        ("count/pods", "pods"),
        ("requests.example.com/gpu", "pods"),
        ("services.nodeports", "services"),
        ("requests.storage", "persistentvolumeclaims"),
        ("gold.storageclass.storage.k8s.io/requests.storage", "persistentvolumeclaims"),
        ("secrets", "secrets"),
        ("count/deployments.apps", "deployments.apps"),
    ],
)
def test_a_name_is_about_one_resource(name: str, resource: str) -> None:
    assert resource_of(name) == resource


def test_what_changes_no_use_is_not_asked_about() -> None:
    timed: Any = {"metadata": {}, "spec": {"activeDeadlineSeconds": 5}}
    plain: Any = {"metadata": {}, "spec": {}}
    assert is_charged("pods", "UPDATE", timed, plain)
    assert not is_charged("pods", "UPDATE", plain, plain)
    assert is_charged("services", "UPDATE", plain, plain)
    assert not is_charged("secrets", "UPDATE", plain, plain)
    assert not is_charged("events", "CREATE", plain, None)
    assert is_charged("secrets", "CREATE", plain, None)


def test_sums_keep_the_family_of_what_came_first() -> None:
    left = plus(parse_amounts({"memory": "1Gi"}), parse_amounts({"memory": "1G", "cpu": "100m"}))
    assert words(left) == "cpu=100m,memory=2073741824"
    assert words(minus(left, parse_amounts({"cpu": "1"}))) == "cpu=0,memory=2073741824"
    nothing, some = parse_amounts({"memory": "0"}), parse_amounts({"memory": "1Gi"})
    assert words(plus(nothing, some)) == "memory=1Gi"

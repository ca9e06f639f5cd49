from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from hearth.cluster.node.scheduling import add_up, check_fit, requests_of

APod = Callable[..., dict[str, Any]]


def a_node(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "n", "labels": {"disk": "ssd", "cores": "8"}},
        "spec": spec,
        "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "3"}},
    }


def requesting(**amounts: str) -> dict[str, Any]:
    return {"resources": {"requests": amounts}}


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    required = {"nodeSelectorTerms": list(terms)}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"nodeSelector": {"disk": "ssd"}},
        {"affinity": affinity(expression("disk", "In", "ssd", "nvme"))},
        {"affinity": affinity(expression("no", "Exists"), expression("cores", "Gt", "4"))},
        {
            "affinity": affinity(
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}
            )
        },
        {"affinity": {"nodeAffinity": {}, "podAntiAffinity": {}}},
    ],
)
def test_a_pod_that_fits(a_pod: APod, spec: dict[str, Any]) -> None:
    assert check_fit(a_pod(**spec), a_node(), {}) is None


@pytest.mark.parametrize(
    "spec",
    [
        {"nodeSelector": {"disk": "tape"}},
        {"affinity": affinity(expression("disk", "NotIn", "ssd"))},
        {"affinity": affinity(expression("cores", "Lt", "4"))},
        {"affinity": affinity({})},
    ],
)
def test_a_pod_that_wants_another_node(a_pod: APod, spec: dict[str, Any]) -> None:
    found = check_fit(a_pod(**spec), a_node(), {})
    assert found is not None
    assert found.message == (
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. "
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )


def test_resources_are_counted(a_pod: APod) -> None:
    used = add_up([requests_of(a_pod(requesting(cpu="1500m")))])
    assert check_fit(a_pod(requesting(cpu="500m")), a_node(), used) is None
    found = check_fit(a_pod(requesting(cpu="501m", memory="2Gi")), a_node(), used)
    assert found is not None
    assert found.message == (
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. "
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )


def test_an_unknown_resource_is_insufficient(a_pod: APod) -> None:
    found = check_fit(a_pod(requesting(**{"nvidia.com/gpu": "1"})), a_node(), {})
    assert found is not None and found.reasons == ("1 Insufficient nvidia.com/gpu",)


def test_the_number_of_pods_is_limited(a_pod: APod) -> None:
    found = check_fit(a_pod(), a_node(), {"pods": Decimal(3)})
    assert found is not None and found.reasons == ("1 Too many pods",)


def test_init_containers_count_as_the_largest_and_sidecars_add_up(a_pod: APod) -> None:
    pod = a_pod(
        requesting(cpu="1"),
        inits=(
            requesting(cpu="3"),
            requesting(memory="2Gi"),
            requesting(cpu="1") | {"restartPolicy": "Always"},
        ),
    )
    assert requests_of(pod) == {"pods": 1, "cpu": 3, "memory": 2 * 1024**3}


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ({"unschedulable": True}, "1 node(s) were unschedulable"),
        (
            {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]},
            "1 node(s) had untolerated taint {gpu: yes}",
        ),
    ],
)
def test_cordons_and_taints(a_pod: APod, node: dict[str, Any], reason: str) -> None:
    found = check_fit(a_pod(), a_node(**node), {})
    assert found is not None and found.reasons == (reason,)
    tolerant = a_pod(tolerations=[{"operator": "Exists"}])
    assert check_fit(tolerant, a_node(**node), {}) is None


def test_a_toleration_names_key_value_and_effect(a_pod: APod) -> None:
    node = a_node(taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])
    for toleration, fits in (
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"key": "gpu", "value": "yes", "effect": "NoSchedule"}, True),
        ({"key": "gpu", "value": "no"}, False),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
    ):
        assert (check_fit(a_pod(tolerations=[toleration]), node, {}) is None) is fits

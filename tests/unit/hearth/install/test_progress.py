"""When an installation serves, what it waits for, where the gateway is."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.install.progress import gateway_address, missing, troubles


def deployment(wanted: int = 2, generation: int = 3, **status: Any) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "d", "generation": generation},
        "spec": {"replicas": wanted},
        "status": {"observedGeneration": generation, **status},
    }


def an_autoscaler(least: int, **status: Any) -> dict[str, Any]:
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": {"minReplicas": least},
        "status": status,
    }


@pytest.mark.parametrize(
    ("obj", "lacks"),
    [
        (deployment(observedGeneration=2), "its controller has not seen it"),
        (deployment(availableReplicas=2, updatedReplicas=1), "1 of 2 pods ready"),
        (
            deployment(availableReplicas=2, updatedReplicas=2, replicas=3),
            "1 pod of the last version is ending",
        ),
        (deployment(availableReplicas=2, updatedReplicas=2, replicas=2), None),
        ({"kind": "CustomResourceDefinition"}, "not established"),
        (an_autoscaler(3, desiredReplicas=1), "has asked for 1 of at least 3 pods"),
        (an_autoscaler(3), "has asked for 1 of at least 3 pods"),
        (an_autoscaler(3, currentReplicas=3, desiredReplicas=0), None),  # no metrics, none needed
        (an_autoscaler(1), None),
        (an_autoscaler(3, desiredReplicas=4), None),
        ({"kind": "ConfigMap"}, None),
    ],
)
def test_what_is_missing(obj: dict[str, Any], lacks: str | None) -> None:
    assert missing(obj) == lacks


def test_a_stateful_set_is_ready_by_its_pods() -> None:
    ready = deployment(1, readyReplicas=1, updatedReplicas=1) | {"kind": "StatefulSet"}
    assert missing(ready) is None


def test_pods_and_claims_tell_their_trouble() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    creating = {"reason": "ContainerCreating"}
    pods = [
        {"metadata": {"name": name}, "status": {"containerStatuses": [{"state": state}]}}
        for name, state in (("a", {"waiting": waiting}), ("b", {"waiting": creating}))
    ]
    unplaced = {"reason": "Unschedulable", "message": "0/1 nodes"}
    pods.append({"metadata": {"name": "c"}, "status": {"conditions": [unplaced]}})
    claim = {"metadata": {"name": "log-0"}, "spec": {}, "status": {"phase": "Pending"}}
    texts = list(troubles(pods, [claim]))
    assert texts[:2] == [
        "pod a: ImagePullBackOff: no such image",
        "pod c is not placed: 0/1 nodes",
    ]
    assert "log-0" in texts[2] and "broker.storage.className" in texts[2]
    assert len(texts) == 3


def service(kind: str, *ingress: dict[str, str], node_port: int = 0) -> dict[str, Any]:
    port = {"port": 80} | ({"nodePort": node_port} if node_port else {})
    return {
        "metadata": {"name": "hearth-gateway", "namespace": "knative-serving"},
        "spec": {"type": kind, "ports": [port]},
        "status": {"loadBalancer": {"ingress": list(ingress)}},
    }


NODE = {"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}}


@pytest.mark.parametrize(
    ("found", "url"),
    [
        (service("LoadBalancer", {"ip": "1.2.3.4"}, node_port=30080), "http://1.2.3.4"),
        (service("LoadBalancer", {"hostname": "lb.example"}), "http://lb.example"),
        (service("LoadBalancer", {"ip": "fd00::1"}), "http://[fd00::1]"),
        (service("LoadBalancer", node_port=30080), "http://10.0.0.1:30080"),
        (service("NodePort", node_port=30080), "http://10.0.0.1:30080"),
        (service("ClusterIP"), None),
    ],
)
def test_the_gateways_address(found: dict[str, Any], url: str | None) -> None:
    assert gateway_address(found, [NODE])[0] == url


def test_a_gateway_without_a_way_in_says_how_to_reach_it() -> None:
    _, remark = gateway_address(service("ClusterIP"), [])
    assert "port-forward service/hearth-gateway" in remark

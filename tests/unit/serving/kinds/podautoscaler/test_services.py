from __future__ import annotations

from typing import Any

from serving.api import keys
from serving.api.settings import Settings
from serving.kinds.podautoscaler.services import make_revision_services
from serving.kinds.revision.containers import make_pod_spec

ANNOTATIONS = {keys.PORTS: "[{name: grpc, port: 50051, protocol: h2c}]"}


def metadata(**more: Any) -> dict[str, Any]:
    return {"name": "hello-00001", "namespace": "ns", "uid": "u", **more}


def test_services_and_pods_of_a_revision_have_its_further_ports() -> None:
    podautoscaler = {
        "apiVersion": "a/v1",
        "kind": "PodAutoscaler",
        "metadata": metadata(annotations=ANNOTATIONS),
        "spec": {"protocolType": "http1"},
    }
    for service in make_revision_services(podautoscaler):
        usual, grpc = service["spec"]["ports"]
        assert (usual["name"], usual["port"]) == ("http", 80)
        assert (grpc["port"], grpc["targetPort"]) == (50051, "grpc")
    revision = {
        "metadata": metadata(annotations=ANNOTATIONS),
        "spec": {"containers": [{"image": "app"}]},
    }
    [container] = make_pod_spec(revision, Settings())["containers"]
    assert [(port["name"], port["containerPort"]) for port in container["ports"]] == [
        ("user-port", 8080),
        ("grpc", 50051),
    ]


def test_others_have_none() -> None:
    podautoscaler = {
        "apiVersion": "a/v1",
        "kind": "PodAutoscaler",
        "metadata": metadata(),
        "spec": {"protocolType": "h2c"},
    }
    public, _ = make_revision_services(podautoscaler)
    assert [port["port"] for port in public["spec"]["ports"]] == [81]

"""What the server itself decides when objects are made and changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hearth.cluster.kinds import catalog
from hearth.cluster.kinds.podspec_defaults import pull_policy
from hearth.cluster.model.clusterips import cluster_ip

KINDS = {kind.kind: kind for kind in reversed(catalog.KINDS)}
UID = "12345678-1234-1234-1234-123456789abc"


def created(name: str, **obj: Any) -> dict[str, Any]:
    made = {"metadata": {"name": "x", "namespace": "n", "uid": UID}, **copy.deepcopy(obj)}
    KINDS[name].strategy.default(made)
    KINDS[name].strategy.prepare(made, None)
    return made


def updated(name: str, old: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """``old`` with some of its spec replaced; None takes a value away."""
    new = copy.deepcopy(old)
    new["spec"].update(spec)
    KINDS[name].strategy.default(new)
    KINDS[name].strategy.prepare(new, old)
    return new


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("app", "Always"),
        ("app:latest", "Always"),
        ("app:1", "IfNotPresent"),
        ("host:5000/app", "Always"),
        ("host:5000/app:1", "IfNotPresent"),
        ("app@sha256:abc", "IfNotPresent"),
        ("app:latest@sha256:abc", "IfNotPresent"),
    ],
)
def test_images_without_a_tag_are_always_pulled(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


def test_a_pod_gets_account_token_and_tolerations() -> None:
    spec = created("Pod", spec={"containers": [{"name": "c", "image": "i"}]})["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    volume = spec["volumes"][0]["name"]
    assert volume.startswith("kube-api-access-")
    assert spec["containers"][0]["volumeMounts"][0]["name"] == volume
    assert [t["tolerationSeconds"] for t in spec["tolerations"]] == [300, 300]
    assert spec["priority"] == 0


def test_a_pod_may_go_without_token() -> None:
    pod = {"containers": [{"name": "c", "image": "i"}], "automountServiceAccountToken": False}
    spec = created("Pod", spec=pod)["spec"]
    assert "volumes" not in spec
    assert spec["serviceAccountName"] == "default"


def test_a_pod_keeps_its_own_tolerations() -> None:
    own = [{"operator": "Exists"}]
    spec = created("Pod", spec={"containers": [], "tolerations": own})["spec"]
    assert spec["tolerations"] == own


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
    ],
)
def test_quality_of_service(resources: Any, expected: str) -> None:
    pod = created("Pod", spec={"containers": [{"name": "c", "resources": resources}]})
    assert pod["status"] == {"phase": "Pending", "qosClass": expected}


def test_pod_addresses_go_together() -> None:
    pod = created("Pod", spec={"containers": []})
    pod["status"]["podIP"] = "127.0.0.1"
    KINDS["Pod"].strategy.default(pod)
    assert pod["status"]["podIPs"] == [{"ip": "127.0.0.1"}]


def test_a_service_gets_an_address_for_life() -> None:
    service = created("Service", spec={"ports": [{"port": 80}]})
    address = service["spec"]["clusterIP"]
    assert service["spec"]["clusterIPs"] == [address] == [cluster_ip(UID)]
    patched = updated("Service", service, clusterIP=None, clusterIPs=None)
    assert patched["spec"]["clusterIP"] == address


def test_addresses_are_in_the_service_range() -> None:
    addresses = {cluster_ip(str(number)) for number in range(2000)}
    parts = [[int(part) for part in address.split(".")] for address in addresses]
    assert all(a == 10 and 96 <= b <= 111 and c < 256 and d < 256 for a, b, c, d in parts)
    assert len(addresses) > 1990


def test_a_service_may_become_a_name_only() -> None:
    service = created("Service", spec={"ports": [{"port": 80}]})
    renamed = updated("Service", service, type="ExternalName", externalName="e.com")
    left = {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"}
    assert not left & set(renamed["spec"])


def test_node_ports_are_given_and_kept() -> None:
    ports = [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]
    service = created("Service", spec={"type": "NodePort", "ports": ports})
    numbers = [port["nodePort"] for port in service["spec"]["ports"]]
    assert len(set(numbers)) == 2
    assert all(30000 <= number < 32768 for number in numbers)
    again = updated("Service", service, ports=copy.deepcopy(ports))
    assert [port["nodePort"] for port in again["spec"]["ports"]] == numbers
    inside = updated("Service", service, type="ClusterIP")
    assert all("nodePort" not in port for port in inside["spec"]["ports"])


def test_a_job_finds_its_pods_by_its_uid() -> None:
    job = created("Job", spec={"template": {"spec": {"containers": []}}})
    labels = {
        "batch.kubernetes.io/controller-uid": UID,
        "batch.kubernetes.io/job-name": "x",
        "controller-uid": UID,
        "job-name": "x",
    }
    assert job["spec"]["template"]["metadata"]["labels"] == labels == job["metadata"]["labels"]
    selector = {"matchLabels": {"batch.kubernetes.io/controller-uid": UID}}
    assert job["spec"]["selector"] == selector


def test_a_job_may_bring_its_own_selector() -> None:
    spec = {
        "manualSelector": True,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}},
    }
    job = created("Job", spec=spec)
    assert job["spec"]["selector"] == {"matchLabels": {"a": "b"}}
    assert job["spec"]["template"]["metadata"]["labels"] == {"a": "b"}


def test_namespaces_keep_their_finalizer() -> None:
    namespace = created("Namespace")
    assert namespace["spec"]["finalizers"] == ["kubernetes"]
    assert namespace["status"] == {"phase": "Active"}
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "x"}
    assert updated("Namespace", namespace, finalizers=[])["spec"]["finalizers"] == ["kubernetes"]


def test_plain_text_of_secrets_is_for_writing_only() -> None:
    secret = created("Secret", data={"a": "YQ==", "b": "Yg=="}, stringData={"b": "new"})
    assert secret["data"] == {"a": "YQ==", "b": "bmV3"}
    assert "stringData" not in secret
    assert secret["type"] == "Opaque"


def test_limits_default_to_their_bounds() -> None:
    item = {"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}}
    found = created("LimitRange", spec={"limits": [item]})["spec"]["limits"][0]
    assert found["default"] == {"cpu": "2"}
    assert found["defaultRequest"] == {"cpu": "2", "memory": "1Mi"}


def test_autoscaler_behavior_is_completed() -> None:
    spec = {"maxReplicas": 1, "behavior": {"scaleDown": {"selectPolicy": "Min"}}}
    behavior = created("HorizontalPodAutoscaler", spec=spec)["spec"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behavior["scaleDown"]["selectPolicy"] == "Min"
    assert len(behavior["scaleUp"]["policies"]) == 2


def test_selectable_fields() -> None:
    pod = {"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "m"}}
    fields = KINDS["Pod"].strategy.selectable_fields
    assert fields["spec.nodeName"](pod) == "m"
    assert fields["status.phase"](pod) == ""
    assert fields["spec.hostNetwork"](pod) == "false"
    event = {"involvedObject": {"kind": "Pod"}, "source": {"component": "c"}}
    fields = KINDS["Event"].strategy.selectable_fields
    assert (fields["involvedObject.kind"](event), fields["source"](event)) == ("Pod", "c")


def test_a_local_load_balancer_gets_a_health_check_port() -> None:
    ports = [{"port": 80}]
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": ports}
    service = created("Service", spec=spec)
    assert 30000 <= service["spec"]["healthCheckNodePort"] <= 32767
    assert KINDS["Service"].strategy.validate(service) == []


def test_a_change_of_type_takes_what_the_old_type_alone_has() -> None:
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 80}]}
    old = created("Service", spec=spec)
    old["metadata"]["resourceVersion"] = "1"
    new = updated("Service", old, type="ClusterIP")
    assert KINDS["Service"].strategy.validate_update(new, old) == []
    assert not {"externalTrafficPolicy", "healthCheckNodePort"} & set(new["spec"])

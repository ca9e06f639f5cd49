"""Rows of ``kubectl get``."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.kinds import catalog
from hearth.cluster.model.tables import human_duration

KINDS = {kind.kind: kind for kind in reversed(catalog.KINDS)}
NOW = 86400.0
META = {"name": "x", "creationTimestamp": "1970-01-01T00:00:00Z"}


def row(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    table = KINDS[kind].table
    cells = table.cells({"metadata": META, **obj}, NOW)
    assert len(cells) == len(table.columns)
    return dict(zip([column.name for column in table.columns], cells, strict=True))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-0.5, "0s"),
        (119, "119s"),
        (120, "2m"),
        (135, "2m15s"),
        (3600, "60m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (40 * 3600, "40h"),
        (49 * 3600, "2d1h"),
        (10 * 86400, "10d"),
        (3 * 365 * 86400, "3y"),
        (3 * 365 * 86400 + 86400, "3y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_has_a_row_even_of_an_empty_object(name: str) -> None:
    found = row(name, {})
    assert found["Name"] == "x"
    assert found.get("Age", "24h") in ("24h", "")


def test_a_pod_that_runs() -> None:
    status = {
        "phase": "Running",
        "podIPs": [{"ip": "127.0.0.1"}],
        "containerStatuses": [{"ready": True, "restartCount": 2, "state": {"running": {}}}],
    }
    found = row("Pod", {"spec": {"containers": [{}], "nodeName": "n"}, "status": status})
    assert (found["Ready"], found["Status"], found["Restarts"]) == ("1/1", "Running", "2")
    assert (found["IP"], found["Node"]) == ("127.0.0.1", "n")


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"waiting": {"reason": "ImagePullBackOff"}}, "ImagePullBackOff"),
        ({"terminated": {"reason": "Error", "exitCode": 1}}, "Error"),
        ({"terminated": {"exitCode": 3}}, "ExitCode:3"),
        ({"terminated": {"signal": 9, "exitCode": 137}}, "Signal:9"),
    ],
)
def test_a_pod_in_trouble(state: dict[str, Any], text: str) -> None:
    status = {"phase": "Running", "containerStatuses": [{"state": state}]}
    assert row("Pod", {"spec": {"containers": [{}]}, "status": status})["Status"] == text


def test_a_pod_that_restarted_says_when() -> None:
    ended = {"terminated": {"finishedAt": "1970-01-01T23:00:00Z"}}
    status = {"containerStatuses": [{"restartCount": 1, "lastState": ended, "state": {}}]}
    found = row("Pod", {"spec": {"containers": [{}]}, "status": status})
    assert found["Restarts"] == "1 (60m ago)"


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"running": {}}, "Init:0/2"),
        ({"waiting": {"reason": "PodInitializing"}}, "Init:0/2"),
        ({"waiting": {"reason": "ErrImagePull"}}, "Init:ErrImagePull"),
        ({"terminated": {"exitCode": 1, "reason": "Error"}}, "Init:Error"),
    ],
)
def test_a_pod_that_starts(state: dict[str, Any], text: str) -> None:
    spec = {"containers": [{}], "initContainers": [{"name": "a"}, {"name": "b"}]}
    status = {"phase": "Pending", "initContainerStatuses": [{"name": "a", "state": state}]}
    assert row("Pod", {"spec": spec, "status": status})["Status"] == text


def test_a_pod_on_its_way_out() -> None:
    meta = {**META, "deletionTimestamp": "1970-01-01T00:00:00Z"}
    assert row("Pod", {"metadata": meta, "status": {"phase": "Running"}})["Status"] == "Terminating"
    assert row("Pod", {"metadata": meta, "status": {"phase": "Failed"}})["Status"] == "Failed"


def test_services() -> None:
    ports = [{"port": 80, "protocol": "TCP"}, {"port": 90, "protocol": "UDP", "nodePort": 30001}]
    spec = {"type": "NodePort", "clusterIPs": ["10.96.0.7"], "ports": ports, "selector": {"a": "b"}}
    found = row("Service", {"spec": spec})
    assert found["Port(s)"] == "80/TCP,90:30001/UDP"
    assert (found["Cluster-IP"], found["External-IP"]) == ("10.96.0.7", "<none>")
    assert found["Selector"] == "a=b"
    external = row("Service", {"spec": {"type": "ExternalName", "externalName": "e.com"}})
    assert (external["External-IP"], external["Port(s)"]) == ("e.com", "<none>")
    balanced = {"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {"ingress": []}}}
    assert row("Service", balanced)["External-IP"] == "<pending>"


def test_endpoints_name_three_and_count_the_rest() -> None:
    addresses = [{"ip": f"10.0.0.{i}"} for i in range(5)]
    subset = {"addresses": addresses, "ports": [{"port": 80}]}
    found = row("Endpoints", {"subsets": [subset]})["Endpoints"]
    assert found == "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."
    slices = {"endpoints": [{"addresses": [a["ip"]]} for a in addresses], "ports": []}
    found = row("EndpointSlice", slices)
    assert (found["Ports"], found["Endpoints"]) == (
        "<unset>",
        "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more...",
    )


def test_jobs() -> None:
    status = {
        "succeeded": 1,
        "startTime": "1970-01-01T23:59:00Z",
        "conditions": [{"type": "Complete", "status": "True"}],
        "completionTime": "1970-01-01T23:59:30Z",
    }
    found = row("Job", {"spec": {"completions": 2}, "status": status})
    assert (found["Status"], found["Completions"], found["Duration"]) == ("Complete", "1/2", "30s")
    running = row(
        "Job", {"spec": {"parallelism": 3}, "status": {"startTime": "1970-01-01T23:59:00Z"}}
    )
    assert (running["Status"], running["Completions"]) == ("Running", "0/1 of 3")
    assert running["Duration"] == "60s"


def test_nodes() -> None:
    labels = {"node-role.kubernetes.io/control-plane": ""}
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    meta = {**META, "labels": labels}
    found = row("Node", {"metadata": meta, "spec": {"unschedulable": True}, "status": ready})
    assert (found["Status"], found["Roles"]) == ("Ready,SchedulingDisabled", "control-plane")
    assert row("Node", {})["Status"] == "Unknown"


def test_autoscalers() -> None:
    cpu = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"averageUtilization": 80}},
    }
    external = {"type": "External", "external": {"target": {"averageValue": "5"}}}
    used = {"resource": {"current": {"averageUtilization": 42}}}
    found = row(
        "HorizontalPodAutoscaler",
        {"spec": {"metrics": [cpu, external, cpu]}, "status": {"currentMetrics": [used]}},
    )
    assert found["Targets"] == "cpu: 42%/80%, <unknown>/5 (avg) + 1 more..."


def test_role_bindings() -> None:
    subjects = [
        {"kind": "User", "name": "u"},
        {"kind": "ServiceAccount", "name": "a", "namespace": "n"},
    ]
    obj = {"roleRef": {"kind": "ClusterRole", "name": "admin"}, "subjects": subjects}
    found = row("RoleBinding", obj)
    assert (found["Role"], found["Users"], found["ServiceAccounts"]) == (
        "ClusterRole/admin",
        "u",
        "n/a",
    )


def test_volumes() -> None:
    spec = {"accessModes": ["ReadWriteOnce", "ReadWriteMany"], "capacity": {"storage": "1Gi"}}
    found = row("PersistentVolume", {"spec": spec})
    assert (found["Capacity"], found["Access Modes"]) == ("1Gi", "RWO,RWX")

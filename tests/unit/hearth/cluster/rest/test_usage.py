from __future__ import annotations

from hearth.cluster.rest.usage import metrics_kinds, node_metrics, pod_metrics, read_usage

DOCUMENT = {
    "node": "hearth",
    "at": 1_000_000.0,
    "uses": [
        {"name": ["default", "web", "main"], "cpu": 1500, "memory": 2048, "window": 5.0},
        {"name": ["default", "web", "side"], "cpu": 0, "memory": 4096, "window": 2.5},
        {"name": [], "cpu": 7, "memory": 1024, "window": 5.0},
    ],
}


def test_pods_have_their_containers_and_labels() -> None:
    found = pod_metrics("default", "web", {"app": "web"}, read_usage(DOCUMENT))
    assert found == {
        "kind": "PodMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {
            "name": "web",
            "namespace": "default",
            "creationTimestamp": "1970-01-12T13:46:40Z",
            "labels": {"app": "web"},
        },
        "timestamp": "1970-01-12T13:46:40Z",
        "window": "2.5s",
        "containers": [
            {"name": "main", "usage": {"cpu": "1500n", "memory": "2Ki"}},
            {"name": "side", "usage": {"cpu": "0", "memory": "4Ki"}},
        ],
    }
    [table] = [kind.table for kind in metrics_kinds() if kind.kind == "PodMetrics"]
    assert table.cells(found, 0) == ("web", "1500n", "6Ki", "2.5s")


def test_of_whom_nothing_is_told_there_is_nothing() -> None:
    told = read_usage(DOCUMENT)
    assert pod_metrics("default", "other", {}, told) is None
    assert node_metrics("other", {}, told) is None
    found = node_metrics("hearth", {}, told)
    assert found is not None and found["usage"] == {"cpu": "7n", "memory": "1Ki"}

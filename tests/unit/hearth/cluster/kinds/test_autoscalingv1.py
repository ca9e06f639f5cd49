"""The old version of HorizontalPodAutoscaler and the one it is stored in."""

from __future__ import annotations

import copy
from typing import Any

from hearth.cluster.kinds import catalog
from hearth.cluster.kinds.autoscalingv1 import from_v2, to_v2

KINDS = {(kind.api_version, kind.kind): kind for kind in catalog.KINDS}
OLD = KINDS["autoscaling/v1", "HorizontalPodAutoscaler"]
NEW = KINDS["autoscaling/v2", "HorizontalPodAutoscaler"]
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}


def made(**spec: Any) -> dict[str, Any]:
    obj = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "namespace": "n", "uid": "u"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": TARGET, **spec},
    }
    OLD.strategy.default(obj)
    OLD.strategy.prepare(obj, None)
    return obj


def test_utilization_becomes_a_metric_and_back() -> None:
    obj = made(targetCPUUtilizationPercentage=50)
    stored = to_v2(obj)
    target = {"type": "Utilization", "averageUtilization": 50}
    assert stored["spec"]["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    ]
    assert "targetCPUUtilizationPercentage" not in stored["spec"]
    assert NEW.strategy.validate(stored) == []
    assert from_v2(stored) == obj


def test_without_a_target_it_is_80_percent() -> None:
    assert made()["spec"]["targetCPUUtilizationPercentage"] == 80
    assert made()["spec"]["minReplicas"] == 1


def test_what_the_old_version_cannot_say_survives_in_annotations() -> None:
    pods = {
        "type": "Pods",
        "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"}},
    }
    stored = to_v2(made())
    stored["spec"]["metrics"].append(pods)
    stored["spec"]["behavior"] = {"scaleDown": {"selectPolicy": "Min"}}
    before = copy.deepcopy(stored)
    old = from_v2(stored)
    assert "metrics" not in old["spec"]
    assert to_v2(old) == stored == before


def test_a_broken_annotation_says_nothing() -> None:
    obj = made()
    obj["metadata"]["annotations"] = {"autoscaling.alpha.kubernetes.io/metrics": "{"}
    assert len(to_v2(obj)["spec"]["metrics"]) == 1


def test_the_rules_are_those_of_the_new_version() -> None:
    found = [str(error) for error in OLD.strategy.validate(made(maxReplicas=0))]
    assert found[0] == "spec.maxReplicas: Invalid value: 0: must be greater than 0"


def test_both_versions_have_one_table() -> None:
    obj = made(targetCPUUtilizationPercentage=50)
    obj["metadata"]["creationTimestamp"] = "1970-01-01T00:00:00Z"
    assert OLD.table.cells(obj, 60.0) == NEW.table.cells(to_v2(obj), 60.0)
    assert OLD.storage_version == "v2"

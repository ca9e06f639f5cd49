"""The HorizontalPodAutoscaler of a ScaledObject."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hearth.keda.api.checks import CheckError
from hearth.keda.scalers.seam import MetricSpec, MetricType
from hearth.keda.scaling.hpa import check_owner, hpa_of, quantity, updated
from tests.unit.hearth.keda.scaling.builders import a_scaledobject

OWNER = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "web", "uid": "u"}
OWNER |= {"controller": True, "blockOwnerDeletion": True}  # type: ignore[dict-item]
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
REDIS = MetricSpec("s0-redis", 5)


def an_hpa(obj: Any, *specs: MetricSpec, composite: MetricSpec | None = None) -> dict[str, Any]:
    return hpa_of(
        obj, specs or (REDIS,), composite=composite, target=TARGET, owner=OWNER, version="1"
    )


def test_it_is_as_keda_makes_it() -> None:
    obj = a_scaledobject(
        labels={"team": "a", "secret": "b"},
        annotations={"scaledobject.keda.sh/hpa-excluded-labels": "secret", "note": "x"},
        minReplicaCount=0,
        maxReplicaCount=7,
    )
    assert an_hpa(obj) == {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": "keda-hpa-web",
            "namespace": "ns",
            "labels": {
                "app.kubernetes.io/name": "keda-hpa-web",
                "app.kubernetes.io/version": "1",
                "app.kubernetes.io/part-of": "web",
                "app.kubernetes.io/managed-by": "keda-operator",
                "scaledobject.keda.sh/name": "web",
                "team": "a",
            },
            "annotations": {"scaledobject.keda.sh/hpa-excluded-labels": "secret", "note": "x"},
            "ownerReferences": [OWNER],
        },
        "spec": {
            "scaleTargetRef": TARGET,
            "minReplicas": 1,
            "maxReplicas": 7,
            "metrics": [
                {
                    "type": "External",
                    "external": {
                        "metric": {
                            "name": "s0-redis",
                            "selector": {"matchLabels": {"scaledobject.keda.sh/name": "web"}},
                        },
                        "target": {"type": "AverageValue", "averageValue": "5"},
                    },
                }
            ],
        },
    }


def test_metrics_of_all_types_in_the_order_of_types() -> None:
    cpu = MetricSpec("", 50, MetricType.UTILIZATION, resource="cpu")
    memory = MetricSpec("", 1048576, resource="memory", container="app")
    value = MetricSpec("s2-x", 0.5, MetricType.VALUE)
    metrics = an_hpa(a_scaledobject(), cpu, value, memory)["spec"]["metrics"]
    assert [each["type"] for each in metrics] == ["ContainerResource", "External", "Resource"]
    assert metrics[0]["containerResource"] == {
        "name": "memory",
        "container": "app",
        "target": {"type": "AverageValue", "averageValue": "1048576"},
    }
    assert metrics[1]["external"]["target"] == {"type": "Value", "value": "500m"}
    assert metrics[2]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 50}


def test_a_formula_replaces_external_metrics_alone() -> None:
    cpu = MetricSpec("", 50, MetricType.UTILIZATION, resource="cpu")
    composite = MetricSpec("composite-metric", 2)
    metrics = an_hpa(a_scaledobject(), cpu, REDIS, composite=composite)["spec"]["metrics"]
    assert [each["type"] for each in metrics] == ["External", "Resource"]
    assert metrics[0]["external"]["metric"]["name"] == "composite-metric"


def test_two_metrics_of_one_name_are_refused() -> None:
    with pytest.raises(CheckError, match="metricName s0-redis defined multiple times"):
        an_hpa(a_scaledobject(), REDIS, REDIS)


def test_a_pause_in_one_direction_disables_it_and_keeps_the_rest() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 5}}
    obj = a_scaledobject(
        annotations={"autoscaling.keda.sh/paused-scale-in": "true"},
        advanced={"horizontalPodAutoscalerConfig": {"behavior": behavior, "name": "mine"}},
    )
    hpa = an_hpa(obj)
    assert hpa["metadata"]["name"] == "mine"
    assert hpa["spec"]["behavior"] == {
        "scaleDown": {"stabilizationWindowSeconds": 5, "selectPolicy": "Disabled"}
    }
    out = a_scaledobject(annotations={"autoscaling.keda.sh/paused-scale-out": "true"})
    assert an_hpa(out)["spec"]["behavior"] == {"scaleUp": {"selectPolicy": "Disabled"}}


def test_a_long_name_makes_a_label_that_ends_well() -> None:
    name = "a" * 62 + "-" + "b" * 5
    obj = a_scaledobject(advanced={"horizontalPodAutoscalerConfig": {"name": name}})
    assert an_hpa(obj)["metadata"]["labels"]["app.kubernetes.io/name"] == "a" * 62


def test_nothing_is_written_where_it_is_as_wanted() -> None:
    wanted = an_hpa(a_scaledobject())
    found = copy.deepcopy(wanted)
    found["metadata"] |= {"resourceVersion": "7", "uid": "x"}
    found["metadata"]["labels"]["else"] = "x"
    found["spec"]["metrics"][0]["external"]["metric"]["more"] = 1
    assert updated(found, wanted) is None


@pytest.mark.parametrize("path", ["minReplicas", "metrics", "behavior", "labels", "owner"])
def test_what_drifted_is_put_right_and_what_others_added_stays(path: str) -> None:
    wanted = an_hpa(a_scaledobject())
    found = copy.deepcopy(wanted)
    found["metadata"]["labels"]["else"] = "x"
    if path == "labels":
        found["metadata"]["labels"].pop("app.kubernetes.io/part-of")
    elif path == "owner":
        found["metadata"]["ownerReferences"] = []
    elif path == "metrics":
        found["spec"]["metrics"] *= 2
    else:
        found["spec"][path] = {"scaleUp": {}} if path == "behavior" else 5
    made = updated(found, wanted)
    assert made is not None
    assert made["spec"] == wanted["spec"]
    assert made["metadata"]["labels"]["else"] == "x"
    assert updated(made, wanted) is None


def test_an_hpa_of_somebody_else_is_taken_over_only_where_it_is_said() -> None:
    found = {"metadata": {"name": "keda-hpa-web"}}
    with pytest.raises(CheckError, match=r"keda-hpa-web is there already and nobody's"):
        check_owner(a_scaledobject(), found, "u")
    found["metadata"]["ownerReferences"] = [OWNER | {"uid": "v"}]  # type: ignore[assignment]
    with pytest.raises(CheckError, match="of ScaledObject web"):
        check_owner(a_scaledobject(), found, "u")
    check_owner(a_scaledobject(), found, "v")
    given = a_scaledobject(annotations={"scaledobject.keda.sh/transfer-hpa-ownership": "true"})
    check_owner(given, found, "u")


@pytest.mark.parametrize(("value", "text"), [(5, "5"), (0.5, "500m"), (1.2349, "1234m"), (0, "0")])
def test_quantities(value: float, text: str) -> None:
    assert quantity(value) == text

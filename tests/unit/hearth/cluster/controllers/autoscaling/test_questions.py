from __future__ import annotations

import pytest

from hearth.cluster.controllers.autoscaling.questions import (
    Place,
    failure,
    go_selector,
    question,
)
from hearth.kube.errors import error_for
from hearth.kube.meta import Object
from tests.unit.hearth.cluster.controllers.autoscaling.builders import (
    by_cpu,
    by_external,
    by_object,
    by_pods,
)

INGRESS = ("networking.k8s.io/v1", "Ingress")
PLACE = Place("test", "app=web", {INGRESS: "ingresses.networking.k8s.io"})


@pytest.mark.parametrize(
    ("metric", "path", "query"),
    [
        pytest.param(
            by_cpu(50),
            "/apis/metrics.k8s.io/v1beta1/namespaces/test/pods",
            {"labelSelector": "app=web"},
            id="resource",
        ),
        pytest.param(
            by_pods("1"),
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/test/pods/*/qps",
            {"labelSelector": "app=web"},
            id="pods",
        ),
        pytest.param(
            by_object(value="1"),
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/test/ingresses.networking.k8s.io/front/qps",
            {},
            id="object",
        ),
        pytest.param(
            by_external(value="1"),
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/test/qps",
            {"labelSelector": "queue=jobs"},
            id="external",
        ),
    ],
)
def test_what_is_asked(metric: Object, path: str, query: dict[str, str]) -> None:
    asked = question(metric, PLACE)
    assert asked.paths[0] == path
    assert dict(asked.query) == query


def test_an_autoscaler_sees_its_own_namespace_only() -> None:
    metric = by_object(value="1")
    metric["object"]["describedObject"] = {"kind": "Namespace", "name": "other"}
    assert question(metric, PLACE).paths[0].endswith("/v1beta2/namespaces/test/metrics/qps")


def test_names_do_not_lead_elsewhere() -> None:
    metric = by_external(value="1")
    metric["external"]["metric"]["name"] = "../../other/q?x"
    assert question(metric, PLACE).paths[0].endswith("/test/..%2F..%2Fother%2Fq%3Fx")


def test_failures_are_told_as_clients_tell_them() -> None:
    asked = question(by_cpu(50), PLACE)
    away = error_for({"code": 503, "message": "service unavailable\n"})
    assert failure(asked, away) == (
        "unable to fetch metrics from resource metrics API: the server is currently unable to "
        "handle the request (get pods.metrics.k8s.io)"
    )


def test_selectors_as_go_shows_them() -> None:
    expression = {"key": "a", "operator": "In", "values": ["b", "c"]}
    assert go_selector(None) == "nil"
    assert go_selector({"matchExpressions": [expression]}) == (
        "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:"
        "[]LabelSelectorRequirement{LabelSelectorRequirement{Key:a,Operator:In,Values:[b c],},},}"
    )

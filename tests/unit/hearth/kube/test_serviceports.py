"""Which port of a pod stands behind a port of a Service."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.kube.serviceports import PORTS_ANNOTATION, port_behind


def a_pod(annotation: str | None = None) -> dict[str, Any]:
    ports = [
        {"name": "dns", "containerPort": 53, "protocol": "UDP"},
        {"name": "dns", "containerPort": 5353},
        {"name": "web", "containerPort": 8080, "protocol": "TCP"},
    ]
    marks = {} if annotation is None else {PORTS_ANNOTATION: annotation}
    return {
        "metadata": {"name": "p", "annotations": marks},
        "spec": {"containers": [{"name": "none"}, {"ports": ports}]},
    }


@pytest.mark.parametrize(
    ("port", "annotation", "number"),
    [
        pytest.param({"port": 80, "targetPort": 8080}, None, 8080, id="a number"),
        pytest.param({"port": 80}, None, 80, id="left open: the Service's own"),
        pytest.param({"port": 80, "targetPort": 0}, None, 80, id="nought is left open"),
        pytest.param({"port": 80, "targetPort": "web"}, None, 8080, id="a name"),
        pytest.param({"port": 80, "targetPort": "x"}, None, None, id="a name that the pod lacks"),
        pytest.param({"port": 53, "targetPort": "dns"}, None, 5353, id="of the same protocol"),
        pytest.param(
            {"port": 53, "targetPort": "dns", "protocol": "UDP"}, None, 53, id="of that protocol"
        ),
        pytest.param({"port": 80, "targetPort": "web"}, '{"8080":20001}', 20001, id="real"),
        pytest.param({"port": 80, "targetPort": 9090}, '{"8080":20001}', 9090, id="not moved"),
        pytest.param({"port": 80, "targetPort": "web"}, "nonsense", 8080, id="no JSON"),
        pytest.param({"port": 80, "targetPort": "web"}, "[1]", 8080, id="no object"),
    ],
)
def test_ports(port: dict[str, Any], annotation: str | None, number: int | None) -> None:
    assert port_behind(port, a_pod(annotation)) == number

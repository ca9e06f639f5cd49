from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.kinds.catalog import KINDS
from hearth.cluster.kinds.printers import api_service

[KIND] = [kind for kind in KINDS if kind.kind == "APIService"]
SERVICE = {"namespace": "keda", "name": "metrics"}


def an_api_service(**spec: Any) -> dict[str, Any]:
    given = {"group": "a.io", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10}
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1.a.io"},
        "spec": given | {"service": dict(SERVICE)} | spec,
    }


def test_the_port_is_443_where_none_is_given() -> None:
    obj = an_api_service()
    KIND.strategy.default(obj)
    assert obj["spec"]["service"]["port"] == 443
    assert KIND.strategy.validate(obj) == []


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        pytest.param(
            {"version": "v2"},
            "metadata.name",
            'Invalid value: "v1.a.io": must be `spec.version+"."+spec.group`: "v2.a.io"',
            id="name",
        ),
        pytest.param(
            {"groupPriorityMinimum": 20001},
            "spec.groupPriorityMinimum",
            "Invalid value: 20001: must be positive and less than 20000",
            id="group priority",
        ),
        pytest.param(
            {"versionPriority": 0},
            "spec.versionPriority",
            "Invalid value: 0: must be positive and less than 1000",
            id="version priority",
        ),
        pytest.param(
            {"service": {"name": "x"}}, "spec.service.namespace", "Required value", id="namespace"
        ),
        pytest.param(
            {"insecureSkipTLSVerify": True, "caBundle": "QQ=="},
            "spec.insecureSkipTLSVerify",
            "Invalid value: true: may not be true if caBundle is present",
            id="trust",
        ),
        pytest.param(
            {"service": None, "insecureSkipTLSVerify": True},
            "spec.insecureSkipTLSVerify",
            "Invalid value: true: local APIServices may not have insecureSkipTLSVerify",
            id="local",
        ),
    ],
)
def test_what_is_refused(spec: dict[str, Any], field: str, message: str) -> None:
    errors = KIND.strategy.validate(an_api_service(**spec))
    assert [(error.field, error.message) for error in errors] == [(field, message)]


def test_the_table_says_why_it_is_not_available() -> None:
    obj = an_api_service()
    assert api_service(obj, 0)[:3] == ("v1.a.io", "keda/metrics", "Unknown")
    condition = {"type": "Available", "status": "False", "reason": "MissingEndpoints"}
    obj["status"] = {"conditions": [condition]}
    assert api_service(obj, 0)[2] == "False (MissingEndpoints)"

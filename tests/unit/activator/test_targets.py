"""What the data plane reads of a Revision."""

from __future__ import annotations

from typing import Any

import pytest

from activator.targets import TargetSpec, revision_target
from serving.api.config.autoscaler import AutoscalerConfig


def revision_spec(revision: dict[str, Any], **settings: float) -> TargetSpec:
    return revision_target(revision, AutoscalerConfig(**settings))  # type: ignore[arg-type]


def test_defaults() -> None:
    spec = revision_spec({"metadata": {"namespace": "n", "name": "r"}, "spec": {}})
    assert (spec.container_concurrency, spec.timeout_seconds) == (0, 300.0)
    assert (spec.response_start_timeout_seconds, spec.idle_timeout_seconds) == (0.0, 0.0)
    assert spec.spread_target == 70


def test_everything_set() -> None:
    spec = revision_spec(
        {
            "metadata": {
                "namespace": "n",
                "name": "r",
                "labels": {
                    "serving.knative.dev/service": "s",
                    "serving.knative.dev/configuration": "c",
                },
            },
            "spec": {
                "containerConcurrency": 5,
                "timeoutSeconds": 60,
                "responseStartTimeoutSeconds": 10,
                "idleTimeoutSeconds": 7,
            },
        }
    )
    assert (spec.service, spec.configuration, spec.spread_target) == ("s", "c", 5)
    assert spec.has_phase_timeouts


@pytest.mark.parametrize(
    ("annotations", "target"),
    [
        ({"target": "10"}, 7),
        ({"target": "10", "target-utilization-percentage": "100"}, 10),
        ({"target": "200", "metric": "rps"}, 70),
        ({"target": "0.01"}, 1),
        ({"target": "nonsense"}, 70),
        ({"target": "NaN"}, 70),
        ({"target": "Inf"}, 70),
        ({"target-utilization-percentage": "NaN"}, 70),
    ],
    ids=repr,
)
def test_the_target_of_a_cold_burst(annotations: dict[str, str], target: int) -> None:
    given_annotations = {f"autoscaling.knative.dev/{k}": v for k, v in annotations.items()}
    revision = {"metadata": {"name": "r", "annotations": given_annotations}, "spec": {}}
    assert revision_spec(revision).spread_target == target


def test_the_operators_default_holds_for_the_cold_burst_too() -> None:
    revision = {"metadata": {"name": "r"}, "spec": {}}
    spec = revision_spec(
        revision,
        container_concurrency_target_default=20.0,
        container_concurrency_target_fraction=0.5,
    )
    assert spec.spread_target == 10


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        pytest.param([], True, id="none"),
        pytest.param([{"containerPort": 8080}], True, id="no-name"),
        pytest.param([{"containerPort": 8080, "name": "http1"}], False, id="http1"),
        pytest.param([{"name": "h2c"}], False, id="h2c"),
    ],
)
def test_ports_without_a_name(ports: list[dict[str, Any]], expected: bool) -> None:
    spec = revision_spec({"spec": {"containers": [{"ports": ports}]}})
    assert spec.has_unnamed_port is expected

from __future__ import annotations

from typing import Any

import pytest

from hearth.simulation.target import settings_of, target_of


def a_service(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"annotations": annotations or {}},
        "spec": {"containers": [{"image": "dev.local/app"}], **spec},
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "hello"},
        "spec": {"template": template},
    }


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_without_a_service_the_settings_hold() -> None:
    usual = target_of(None, settings_of([]))
    assert (usual.spec.target, usual.container_concurrency, usual.spread_target) == (70, 0, 70)
    config = config_map("config-autoscaler", **{"stable-window": "30s", "max-scale": "3"})
    changed = target_of(None, settings_of([config, config_map("config-other", x="y")]))
    assert (changed.spec.stable_window, changed.bounds.max_scale) == (30, 3)


def test_annotations_and_limits_of_the_service() -> None:
    service = a_service(
        {"autoscaling.knative.dev/target": "5", "autoscaling.knative.dev/min-scale": "2"},
        containerConcurrency=10,
        timeoutSeconds=20,
    )
    found = target_of(service, settings_of([]))
    assert (found.spec.target, found.spec.total) == (3.5, 5)
    assert (found.container_concurrency, found.spread_target) == (10, 10)
    assert (found.bounds.min_scale, found.timeout_seconds) == (2, 20)
    assert found.bounds.reachable


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"kind": "Pod", "apiVersion": "v1"}, "it is no Service of serving.knative.dev/v1"),
        (a_service({"autoscaling.knative.dev/min-scale": "x"}), "min-scale"),
        (a_service(containerConcurrency=-1), "containerConcurrency"),
        (
            a_service(
                {
                    "autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev",
                    "autoscaling.knative.dev/metric": "cpu",
                }
            ),
            "scaled by cpu is not simulated",
        ),
    ],
)
def test_what_would_be_refused_is_refused(service: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        target_of(service, settings_of([]))


def test_a_setting_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="max-scale-up-rate"):
        settings_of([config_map("config-autoscaler", **{"max-scale-up-rate": "1"})])

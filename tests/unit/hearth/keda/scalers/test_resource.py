"""cpu and memory: what the HorizontalPodAutoscaler is asked to look at."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.resource import make
from hearth.keda.scalers.seam import ConfigError, MetricSpec, MetricType, Reading, TriggerConfig


def trigger(type_: str, kind: MetricType | None, **metadata: str) -> TriggerConfig:
    return TriggerConfig(type_, metadata, metric_type=kind)


def test_a_share_of_what_pods_request():
    made = make(trigger("cpu", MetricType.UTILIZATION, value="60"))
    assert made.spec == MetricSpec("", 60, MetricType.UTILIZATION, "cpu")


def test_an_amount_of_one_container():
    kind = MetricType.AVERAGE_VALUE
    made = make(trigger("memory", kind, value="1Mi", containerName="app"))
    assert made.spec == MetricSpec("", 2**20, kind, "memory", "app")


async def test_it_is_always_active_and_has_no_value():
    assert await make(trigger("cpu", MetricType.UTILIZATION, value="60")).read() == Reading(0, True)


@pytest.mark.parametrize(
    ("kind", "metadata", "said"),
    [
        (None, {"value": "1"}, "unknown metric type: , allowed values are"),
        (MetricType.VALUE, {"value": "1"}, "unknown metric type: Value, allowed values are"),
        (MetricType.UTILIZATION, {"value": "x"}, 'ParseInt: parsing "x": invalid syntax'),
        (MetricType.AVERAGE_VALUE, {"value": "x"}, "quantities must match"),
        (MetricType.UTILIZATION, {}, 'missing required parameter "value"'),
        (MetricType.UTILIZATION, {"value": "1", "type": "Utilization"}, "'type' setting is DEPREC"),
    ],
)
def test_what_is_refused(kind, metadata, said):
    with pytest.raises(ConfigError, match="error parsing cpu metadata: ") as refused:
        make(trigger("cpu", kind, **metadata))
    assert said in str(refused.value)

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.meta import Object
from serving.api import keys
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.settings import Settings
from serving.autoscaler.decide import Observation, decide, initial_state
from serving.autoscaler.scale import Bounds
from serving.autoscaler.spec import (
    bounds_of,
    decider_spec,
    initial_scale,
    scale_bounds,
    scheduled_of,
)

CONFIG = AutoscalerConfig()


def a_podautoscaler(
    annotations: dict[str, str] | None = None, *, limit: int = 0, reachability: str = "Reachable"
) -> Object:
    spec: dict[str, Any] = {"reachability": reachability}
    if limit:
        spec["containerConcurrency"] = limit
    return {
        "metadata": {"name": "rev", "namespace": "ns", "annotations": annotations or {}},
        "spec": spec,
    }


def annotated(**given: str) -> Object:
    prefix = keys.AUTOSCALING_GROUP
    return a_podautoscaler({f"{prefix}/{k.replace('_', '-')}": v for k, v in given.items()})


@pytest.mark.parametrize(
    ("podautoscaler", "target", "total"),
    [
        pytest.param(a_podautoscaler(), 70, 100, id="default"),
        pytest.param(a_podautoscaler(limit=10), 7, 10, id="container concurrency"),
        pytest.param(annotated(target="50"), 35, 50, id="target"),
        pytest.param(annotated(target_utilization_percentage="90"), 90, 100, id="utilization"),
        pytest.param(annotated(metric="rps"), 140, 200, id="rps"),
        pytest.param(annotated(metric="rps", target="10"), 7, 10, id="rps target"),
        pytest.param(
            annotated(target="0.01", target_utilization_percentage="1"), 0.01, 0.01, id="least"
        ),
    ],
)
def test_targets(podautoscaler: Object, target: float, total: float) -> None:
    spec = decider_spec(podautoscaler, CONFIG)
    assert spec.target == pytest.approx(target)
    assert spec.total == total


def test_the_smaller_of_target_and_container_concurrency_wins() -> None:
    annotations = {keys.TARGET.key: "50"}
    assert decider_spec(a_podautoscaler(annotations, limit=10), CONFIG).total == 10
    assert decider_spec(a_podautoscaler(annotations, limit=80), CONFIG).total == 50


@pytest.mark.parametrize(
    ("window", "percentage", "expected"),
    [
        pytest.param("60s", "10", 6, id="default"),
        pytest.param("6s", "10", 1, id="rounded up to a bucket"),
        pytest.param("25s", "10", 3, id="half away from zero"),
        pytest.param("1h", "100", 3600, id="whole"),
    ],
)
def test_panic_window(window: str, percentage: str, expected: float) -> None:
    spec = decider_spec(annotated(window=window, panic_window_percentage=percentage), CONFIG)
    assert spec.panic_window == expected


def test_annotations_over_config() -> None:
    spec = decider_spec(
        annotated(
            panic_threshold_percentage="500",
            target_burst_capacity="-1",
            scale_down_delay="2m",
            activation_scale="4",
            metric_aggregation_algorithm="weighted-exponential",
        ),
        CONFIG,
    )
    assert spec.panic_threshold == 5
    assert spec.target_burst_capacity == -1
    assert spec.scale_down_delay == 120
    assert spec.activation_scale == 4
    assert spec.weighted


def test_a_value_that_does_not_parse_counts_as_absent() -> None:
    assert decider_spec(annotated(target="many", window="soon"), CONFIG).target == 70


@given(
    annotations=st.dictionaries(
        st.sampled_from(
            [
                keys.TARGET.key,
                keys.TARGET_UTILIZATION.key,
                keys.TARGET_BURST_CAPACITY.key,
                keys.PANIC_WINDOW_PERCENTAGE.key,
                keys.PANIC_THRESHOLD_PERCENTAGE.key,
                keys.WINDOW.key,
                keys.SCALE_DOWN_DELAY.key,
                keys.INITIAL_SCALE.key,
                keys.ACTIVATION_SCALE.key,
            ]
        ),
        st.sampled_from(["NaN", "Inf", "-Inf", "1e308", "1e400", "-5", "9" * 30, "1000000h", "-1"]),
    )
)
def test_whatever_is_stored_can_be_decided_on(annotations: dict[str, str]) -> None:
    """A stored NaN used to end the control plane, at each start again."""
    podautoscaler = a_podautoscaler(annotations)
    spec = decider_spec(podautoscaler, CONFIG)
    observation = Observation(ready_pods=1000, stable=1e308, panic=1e308)
    state = initial_state(1000, now=0.0)
    for now in (0.0, 2.0, 4.0):
        state, decision = decide(spec, state, observation=observation, now=now)
    assert decision.is_valid
    assert -(2**31) <= decision.excess_burst_capacity < 2**31
    bounds = bounds_of(podautoscaler, Settings())
    assert 0 <= bounds.stable_window <= 3600


def test_initial_scale_zero_must_be_allowed() -> None:
    zero = annotated(initial_scale="0")
    assert initial_scale(zero, CONFIG) == 1
    assert initial_scale(zero, AutoscalerConfig(allow_zero_initial_scale=True)) == 0
    assert initial_scale(annotated(initial_scale="3"), CONFIG) == 3


def test_an_unreachable_revision_has_no_least_scale() -> None:
    annotations = {keys.MIN_SCALE.key: "2", keys.MAX_SCALE.key: "5"}
    assert scale_bounds(a_podautoscaler(annotations), CONFIG) == (2, 5)
    unreachable = a_podautoscaler(annotations, reachability="Unreachable")
    assert scale_bounds(unreachable, CONFIG) == (0, 5)
    assert scale_bounds(a_podautoscaler(), AutoscalerConfig(min_scale=1, max_scale=9)) == (1, 9)


def test_older_spellings_are_read() -> None:
    old = a_podautoscaler({f"{keys.AUTOSCALING_GROUP}/minScale": "2"})
    assert scale_bounds(old, CONFIG)[0] == 2


def test_bounds() -> None:
    podautoscaler = a_podautoscaler(
        {
            keys.WINDOW.key: "6s",
            keys.POD_RETENTION_PERIOD.key: "1m",
            keys.PROGRESS_DEADLINE.key: "30s",
        }
    )
    assert bounds_of(podautoscaler, Settings()) == Bounds(
        stable_window=6, retention=60, progress_deadline=30
    )
    podautoscaler["spec"]["reachability"] = "Unreachable"
    assert bounds_of(podautoscaler, Settings()).retention == 0


# -- schedules ------------------------------------------------------------------------------------

WINDOW = "[{start: 0 8 * * *, end: 0 18 * * *, minScale: 3, maxScale: 7}]"
NOON, NIGHT = 12 * 3600.0, 20 * 3600.0


def bounds_at(now: float, podautoscaler: Object, service: Object | None = None) -> Bounds:
    return bounds_of(podautoscaler, Settings(), scheduled_of(podautoscaler, service, now))


def test_a_schedule_has_bounds_of_its_own_while_a_window_is_open() -> None:
    own = a_podautoscaler({keys.SCHEDULE: WINDOW, keys.MAX_SCALE.key: "20"})
    noon, night = bounds_at(NOON, own), bounds_at(NIGHT, own)
    assert (noon.min_scale, noon.max_scale) == (3, 7)
    assert noon.scheduled.open == ("0 8 * * * to 0 18 * * * UTC",)
    assert noon.scheduled.changes_at == 18 * 3600
    assert (night.min_scale, night.max_scale) == (0, 20)
    assert night.scheduled.changes_at == 32 * 3600


def test_a_service_s_schedule_is_for_revisions_without_their_own() -> None:
    service = {"metadata": {"annotations": {keys.SCHEDULE: WINDOW}}}
    assert bounds_at(NOON, a_podautoscaler(), service).min_scale == 3
    own = a_podautoscaler({keys.SCHEDULE: WINDOW.replace("3", "5")})
    assert bounds_at(NOON, own, service).min_scale == 5


def test_where_no_route_leads_no_schedule_has_a_floor() -> None:
    own = a_podautoscaler({keys.SCHEDULE: WINDOW})
    own["spec"]["reachability"] = keys.UNREACHABLE
    bounds = bounds_at(NOON, own)
    assert (bounds.min_scale, bounds.max_scale) == (0, 7)


def test_a_stored_schedule_that_cannot_be_read_counts_as_absent() -> None:
    bounds = bounds_at(NOON, a_podautoscaler({keys.SCHEDULE: "nonsense"}))
    assert bounds == bounds_of(a_podautoscaler(), Settings())

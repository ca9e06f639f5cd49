from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.autoscaler.decide import (
    ACTIVATION_SCALE,
    NO_DATA,
    PANIC,
    PANIC_ENTERED,
    PANIC_HELD,
    PANIC_LEFT,
    RATE_LIMITED_DOWN,
    RATE_LIMITED_UP,
    SCALE_DOWN_DELAYED,
    STABLE,
    DeciderSpec,
    DeciderState,
    Decision,
    Observation,
    decide,
    initial_decision,
    initial_state,
)

SPEC = DeciderSpec(metric="concurrency", target=10.0, total=10.0)
NOW = 1_000_000.0
CALM = DeciderState()


def decided(
    spec: DeciderSpec = SPEC,
    state: DeciderState = CALM,
    *,
    ready: int = 1,
    stable: float = 0.0,
    panic: float = 0.0,
    now: float = NOW,
) -> tuple[DeciderState, Decision]:
    seen = Observation(ready_pods=ready, stable=stable, panic=panic)
    return decide(spec, state, observation=seen, now=now)


@pytest.mark.parametrize(
    ("ready", "stable", "panic", "expected"),
    [
        pytest.param(1, 0, 0, 0, id="idle"),
        pytest.param(0, 1, 1, 1, id="first request"),
        pytest.param(8, 50, 50, 5, id="down to what is needed"),
        pytest.param(8, 1, 1, 4, id="down by half at most"),
        pytest.param(10, 100, 100, 10, id="as it is"),
        pytest.param(10, 150, 150, 15, id="up"),
        pytest.param(1, 100, 1000, 100, id="panic goes by the panic window"),
        pytest.param(10, 400, 210, 40, id="panic with a larger stable value"),
    ],
)
def test_desired(ready: int, stable: float, panic: float, expected: int) -> None:
    assert decided(ready=ready, stable=stable, panic=panic)[1].desired == expected


def test_scale_up_rate_is_a_limit_that_always_lets_one_pod_more_through() -> None:
    spec = replace(SPEC, target=1.0, max_scale_up_rate=1.1, panic_threshold=100)
    _, decision = decided(spec, ready=2, stable=3, panic=3)
    assert decision.desired == 3
    _, decision = decided(spec, ready=2, stable=30, panic=30)
    assert decision.desired == 3
    assert RATE_LIMITED_UP in decision.reasons


def test_an_unreachable_revision_may_lose_all_pods_at_once() -> None:
    assert decided(replace(SPEC, reachable=False), ready=8)[1].desired == 0
    assert RATE_LIMITED_DOWN in decided(ready=8)[1].reasons


def test_panic_begins_at_the_threshold_and_holds_its_pods() -> None:
    state, decision = decided(ready=2, stable=20, panic=40)
    assert decision.desired == 4
    assert decision.panicking
    assert decision.reasons[0] == PANIC_ENTERED
    state, decision = decided(SPEC, state, ready=4, stable=10, panic=10, now=NOW + 2)
    assert decision.desired == 4
    assert decision.reasons == (RATE_LIMITED_DOWN, PANIC, PANIC_HELD)


def test_panic_ends_a_stable_window_after_the_threshold_was_last_exceeded() -> None:
    state, _ = decided(ready=2, stable=20, panic=40)
    state, decision = decided(SPEC, state, ready=4, stable=20, panic=10, now=NOW + 60)
    assert decision.panicking
    state, decision = decided(SPEC, state, ready=4, stable=20, panic=10, now=NOW + 61)
    assert not decision.panicking
    assert decision.desired == 2
    assert decision.reasons == (PANIC_LEFT, STABLE)
    assert state == DeciderState()


def test_panic_is_extended_while_the_threshold_is_exceeded() -> None:
    state, _ = decided(ready=2, stable=20, panic=40)
    state, _ = decided(SPEC, state, ready=2, stable=20, panic=40, now=NOW + 50)
    assert state.panic_since == NOW + 50


def test_a_decider_that_begins_with_pods_keeps_them() -> None:
    state = initial_state(5, NOW)
    assert decided(SPEC, state, ready=5, now=NOW + 2)[1].desired == 5
    assert initial_state(1, NOW) == DeciderState()


def test_activation_scale_counts_only_with_traffic() -> None:
    spec = replace(SPEC, activation_scale=5)
    assert decided(spec, ready=0, stable=1, panic=1)[1].desired == 5
    assert ACTIVATION_SCALE in decided(spec, ready=0, stable=1, panic=1)[1].reasons
    assert decided(spec, ready=1)[1].desired == 0


def test_scale_down_waits_for_the_delay() -> None:
    spec = replace(SPEC, scale_down_delay=6.0)
    state, decision = decided(spec, ready=4, stable=40, panic=40)
    state, decision = decided(spec, state, ready=4, stable=20, panic=20, now=NOW + 2)
    assert decision.desired == 4
    assert SCALE_DOWN_DELAYED in decision.reasons
    state, decision = decided(spec, state, ready=4, stable=20, panic=20, now=NOW + 6)
    assert decision.desired == 2


def test_scale_up_does_not_wait_for_the_delay() -> None:
    spec = replace(SPEC, scale_down_delay=60.0)
    state, _ = decided(spec, ready=4, stable=20, panic=20)
    assert decided(spec, state, ready=4, stable=60, panic=60, now=NOW + 2)[1].desired == 6


@pytest.mark.parametrize(
    ("burst", "expected"),
    [
        pytest.param(0, 0, id="activator only at zero"),
        pytest.param(-1, -1, id="activator always"),
        pytest.param(211, 5 * 10 - 211 - 13, id="capacity less burst less traffic"),
        pytest.param(10, 5 * 10 - 10 - 13, id="capacity to spare"),
    ],
)
def test_excess_burst_capacity(burst: float, expected: int) -> None:
    spec = replace(SPEC, target_burst_capacity=burst)
    assert decided(spec, ready=5, stable=13, panic=12.5)[1].excess_burst_capacity == expected


def test_without_data_nothing_is_decided() -> None:
    state = DeciderState(panic_since=NOW, max_panic_pods=3)
    seen = Observation(ready_pods=0, stable=0, panic=0, has_data=False)
    after, decision = decide(SPEC, state, observation=seen, now=NOW)
    assert after is state
    assert not decision.is_valid
    assert decision.reasons == (NO_DATA,)


def test_before_the_first_observation_the_initial_scale_gives_the_burst_capacity() -> None:
    spec = replace(SPEC, initial_scale=3)
    assert initial_decision(spec).excess_burst_capacity == 30 - 211
    assert initial_decision(replace(spec, target_burst_capacity=-1)).excess_burst_capacity == -1


specs = st.builds(
    DeciderSpec,
    metric=st.just("concurrency"),
    target=st.floats(0.01, 100),
    total=st.floats(0.01, 100),
    target_burst_capacity=st.floats(-1, 500),
    panic_threshold=st.floats(1.1, 10),
    stable_window=st.floats(6, 60),
    max_scale_up_rate=st.floats(1.01, 1000),
    max_scale_down_rate=st.floats(1.01, 10),
    scale_down_delay=st.sampled_from([0.0, 4.0, 30.0]),
    activation_scale=st.integers(0, 5),
    reachable=st.booleans(),
)
observations = st.builds(
    Observation,
    ready_pods=st.integers(0, 100),
    stable=st.floats(0, 10_000),
    panic=st.floats(0, 10_000),
)


@given(specs, st.lists(observations, min_size=1, max_size=30))
def test_invariants_over_any_history(spec: DeciderSpec, history: list[Observation]) -> None:
    state, now = initial_state(history[0].ready_pods, NOW), NOW
    panic_pods = 0
    for seen in history:
        state, decision = decide(spec, state, observation=seen, now=now)
        ready = max(1, seen.ready_pods)
        assert decision.desired >= 0
        if decision.panicking:
            assert decision.desired >= panic_pods
            panic_pods = state.max_panic_pods
        else:
            panic_pods = 0
        if spec.reachable:
            assert decision.desired >= math.floor(ready / spec.max_scale_down_rate)
        if not decision.panicking and not spec.scale_down_delay:
            limit = math.ceil(ready * spec.max_scale_up_rate)
            assert decision.desired <= max(limit, spec.activation_scale)
        now += 2


@given(specs, observations, st.floats(0, 10_000))
def test_more_load_never_asks_for_fewer_pods(
    spec: DeciderSpec, seen: Observation, more: float
) -> None:
    loaded = replace(seen, stable=seen.stable + more, panic=seen.panic + more)
    _, less = decide(spec, DeciderState(), observation=seen, now=NOW)
    _, most = decide(spec, DeciderState(), observation=loaded, now=NOW)
    assert most.desired >= less.desired

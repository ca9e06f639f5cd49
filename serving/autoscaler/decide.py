"""The Knative Pod Autoscaler's decision: how many pods a revision should have now.

``decide`` is pure: the state (panic mode, delayed scale down) goes in and comes out, time is an
argument. The engine calls it each tick and on every poke; what the decision says is exported as
metrics and, through ``scale``, becomes the Deployment's replicas and the PodAutoscaler's status.

The numbers are Knative's (``pkg/autoscaler/scaling``)::

    stable pods = ceil(stable average / target)     panic pods = ceil(panic average / target)
    both within [floor(ready / max scale down rate), ceil(ready * max scale up rate)]
    panic while panic pods / ready >= threshold and for one stable window after that;
    in panic the number of pods never falls; who begins with several pods begins in panic
    what formulas make of that, where others wish by one (Hearth's own)
    as many as others wish for, at least (Hearth's own; rates of change are not asked)
    excess burst capacity = floor(ready * total - target burst capacity - panic average)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from serving.api.annotations import MAX_INT32
from serving.autoscaler.windows import MaxWindow
from serving.autoscaler.wishes import Shares, by_formulas

TICK_SECONDS = 2.0
"""How often a revision with pods or traffic is looked at (Knative's tickInterval)."""

# Why a decision is what it is.
NO_DATA = "NoData"
STABLE = "Stable"
PANIC = "Panic"
PANIC_ENTERED = "PanicEntered"
PANIC_LEFT = "PanicLeft"
PANIC_HELD = "PanicHeldPods"
RATE_LIMITED_UP = "ScaleUpRateLimited"
RATE_LIMITED_DOWN = "ScaleDownRateLimited"
ACTIVATION_SCALE = "ActivationScale"
WISHED = "Wished"
FORMULA = "Formula"
SCALE_DOWN_DELAYED = "ScaleDownDelayed"
WINDOW_NOT_SEEN = "WindowNotSeen"


@dataclass(frozen=True, slots=True)
class DeciderSpec:
    """What one revision asks of the autoscaler: annotations over config-autoscaler."""

    metric: str
    target: float
    """Per pod, aimed at."""
    total: float
    """Per pod, possible."""
    target_burst_capacity: float = 211.0
    panic_threshold: float = 2.0
    stable_window: float = 60.0
    panic_window: float = 6.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    scale_down_delay: float = 0.0
    initial_scale: int = 1
    activation_scale: int = 0
    reachable: bool = True
    weighted: bool = False


@dataclass(frozen=True, slots=True)
class DeciderState:
    """What a decider remembers from one decision to the next."""

    panic_since: float | None = None
    """When the panic threshold was last exceeded; None outside panic."""
    max_panic_pods: int = 0
    delay: MaxWindow | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What a decider sees: ready pods, and the metric's averages over its windows."""

    ready_pods: int
    stable: float
    """Average over the stable window, of the whole revision."""
    panic: float
    has_data: bool = True
    wished: int = 0
    """Pods that others wish for."""
    formulas: Shares = ()
    """Wishes that say what becomes of what requests need."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The pods to have, and the numbers behind it."""

    desired: int
    """-1 when there is nothing to decide on."""
    excess_burst_capacity: int
    stable: float
    panic: float
    panicking: bool
    reasons: tuple[str, ...]

    @property
    def is_valid(self) -> bool:
        """Whether there was data to decide on."""
        return self.desired >= 0


def initial_state(pods: int, now: float) -> DeciderState:
    """Begin in panic where there are several pods: history is lost, pods are kept."""
    if pods > 1:
        return DeciderState(panic_since=now, max_panic_pods=pods)
    return DeciderState()


def initial_decision(spec: DeciderSpec) -> Decision:
    """Before the first observation: nothing desired, the burst capacity of the initial scale."""
    burst = spec.target_burst_capacity
    excess = burst if burst in (-1, 0) else spec.initial_scale * spec.total - burst
    return Decision(-1, _whole(excess), 0.0, 0.0, panicking=False, reasons=(NO_DATA,))


def decide(
    spec: DeciderSpec, state: DeciderState, *, observation: Observation, now: float
) -> tuple[DeciderState, Decision]:
    """Decide how many pods there should be. ``now`` is in Unix seconds."""
    if not observation.has_data:
        return state, replace(
            initial_decision(spec), excess_burst_capacity=_excess(spec, observation)
        )
    asked = ask(spec, observation)
    state, panic_reasons = _panic(spec, state, over=asked.over_panic_threshold, now=now)
    desired, reasons = asked.stable, [*panic_reasons, *asked.reasons]
    if state.panic_since is not None:
        state, desired, held = _in_panic(state, max(asked.stable, asked.panic))
        reasons += held
    else:
        reasons.append(STABLE)
    if observation.formulas:
        ready = observation.ready_pods
        requests = needed(asked, is_panicking=state.panic_since is not None)
        pods = by_formulas(observation.formulas, requests=requests, ready=ready)
        desired = _activated(spec, pods, pods)
        reasons.append(FORMULA)
    if observation.wished > desired:
        desired = _activated(spec, observation.wished, observation.wished)
        reasons.append(WISHED)
    state, desired, delayed = _delay(spec, state, desired=desired, now=now)
    return state, Decision(
        desired=desired,
        excess_burst_capacity=_excess(spec, observation),
        stable=observation.stable,
        panic=observation.panic,
        panicking=state.panic_since is not None,
        reasons=(*reasons, *delayed),
    )


class Asked(NamedTuple):
    """The pods that each window asks for, before panic or delay holds them."""

    stable: int
    panic: int
    for_stable: int
    """By the stable average alone, before rates and the activation scale."""
    for_panic: int
    lowest: int
    """What the rate of scaling down allows."""
    highest: int
    """What the rate of scaling up allows."""
    over_panic_threshold: bool
    reasons: tuple[str, ...]


def ask(spec: DeciderSpec, observation: Observation) -> Asked:
    """Return what the averages ask for, within the rates of change."""
    ready = max(1, observation.ready_pods)
    # Rounded outwards, or a conservative rate would keep a revision at its number for ever.
    highest = math.ceil(min(spec.max_scale_up_rate * ready, MAX_INT32))
    lowest = math.floor(ready / spec.max_scale_down_rate) if spec.reachable else 0
    for_stable = math.ceil(min(observation.stable / spec.target, MAX_INT32))
    for_panic = math.ceil(min(observation.panic / spec.target, MAX_INT32))
    stable = min(max(for_stable, lowest), highest)
    panic = min(max(for_panic, lowest), highest)
    reasons = []
    if for_stable > highest or for_panic > highest:
        reasons.append(RATE_LIMITED_UP)
    if for_stable < lowest:
        reasons.append(RATE_LIMITED_DOWN)
    if spec.activation_scale > 1:
        raised = (_activated(spec, for_stable, stable), _activated(spec, for_panic, panic))
        if raised != (stable, panic):
            stable, panic = raised
            reasons.append(ACTIVATION_SCALE)
    return Asked(
        stable=stable,
        panic=panic,
        for_stable=for_stable,
        for_panic=for_panic,
        lowest=lowest,
        highest=highest,
        over_panic_threshold=for_panic / ready >= spec.panic_threshold,
        reasons=tuple(reasons),
    )


def needed(asked: Asked, *, is_panicking: bool) -> int:
    """Return the pods that requests need, whatever rates of change allow.

    For formulas: those rates go by the pods there are, which a formula would add to again.
    """
    return max(asked.for_stable, asked.for_panic) if is_panicking else asked.for_stable


def _activated(spec: DeciderSpec, desired: int, pods: int) -> int:
    return max(pods, spec.activation_scale) if desired > 0 else pods


def _panic(
    spec: DeciderSpec, state: DeciderState, *, over: bool, now: float
) -> tuple[DeciderState, list[str]]:
    if over:
        reasons = [PANIC_ENTERED] if state.panic_since is None else []
        return replace(state, panic_since=now), reasons
    if state.panic_since is not None and state.panic_since + spec.stable_window < now:
        return replace(state, panic_since=None, max_panic_pods=0), [PANIC_LEFT]
    return state, []


def _in_panic(state: DeciderState, desired: int) -> tuple[DeciderState, int, list[str]]:
    if desired >= state.max_panic_pods:
        return replace(state, max_panic_pods=desired), desired, [PANIC]
    return state, state.max_panic_pods, [PANIC, PANIC_HELD]


def _delay(
    spec: DeciderSpec, state: DeciderState, *, desired: int, now: float
) -> tuple[DeciderState, int, list[str]]:
    if spec.scale_down_delay <= 0 or not spec.reachable:
        return (state if state.delay is None else replace(state, delay=None)), desired, []
    size = max(1, math.ceil(spec.scale_down_delay / TICK_SECONDS))
    entries = state.delay.entries if state.delay is not None else ()
    window = MaxWindow(size, entries).record(int(now // TICK_SECONDS), desired)
    reasons = [SCALE_DOWN_DELAYED] if window.current != desired else []
    return replace(state, delay=window), window.current, reasons


def _excess(spec: DeciderSpec, observation: Observation) -> int:
    if spec.target_burst_capacity == 0:
        return 0
    if spec.target_burst_capacity < 0:
        return -1
    capacity = observation.ready_pods * spec.total
    return _whole(capacity - spec.target_burst_capacity - observation.panic)


def _whole(number: float) -> int:
    """Return the number rounded down, as far as a Kubernetes integer goes: factors may be large."""
    return math.floor(max(-MAX_INT32, min(number, MAX_INT32)))

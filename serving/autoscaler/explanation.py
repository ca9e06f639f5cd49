"""Why a revision has the pods it has: each rule in its order, with its numbers. Pure.

Said by ``hearth scale explain``. The KPA's explanation is made by asking the same functions that
decide (``decide.ask``, ``Multiscaler.outlook``, ``scale.settle``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from hearth.knative.explanation import Explanation, Json, Step
from hearth.kube.durations import format_go_duration
from serving.api import keys
from serving.api.wishes import WishTrigger
from serving.autoscaler.decide import (
    ACTIVATION_SCALE,
    FORMULA,
    PANIC_HELD,
    RATE_LIMITED_DOWN,
    RATE_LIMITED_UP,
    SCALE_DOWN_DELAYED,
    WINDOW_NOT_SEEN,
    WISHED,
    Asked,
    DeciderSpec,
    ask,
    needed,
)
from serving.autoscaler.multiscaler import Outlook
from serving.autoscaler.scale import INITIAL_HOLD_SECONDS, Active, Bounds, Phase, Scale, settle
from serving.autoscaler.wishes import Share, wished


@dataclass(frozen=True, slots=True)
class Subject:
    """All that the KPA goes by for one revision, at one moment."""

    spec: DeciderSpec
    outlook: Outlook
    bounds: Bounds
    phase: Phase
    now: float
    """Unix seconds."""
    next_tick_in: float
    """Seconds until the revisions that are watched are looked at."""
    last: int = -1
    """What was decided last, which stays while there is nothing to decide on."""

    @property
    def desired(self) -> int:
        """The decision that would be in force."""
        decision = self.outlook.decision
        return decision.desired if decision.is_valid else self.last


def explain(namespace: str, name: str, subject: Subject) -> Explanation:
    """Return what the KPA would do with a revision now, and by which rules."""
    scale = settle(subject.desired, subject.phase, bounds=subject.bounds, now=subject.now)
    return Explanation(
        namespace,
        name,
        keys.KPA_CLASS,
        wish=scale.desired,
        steps=tuple(_steps(subject, scale)),
        looks_again=_looks_again(subject, scale),
        facts=_facts(subject, scale),
    )


# -- the rules, in the order in which they apply ---------------------------------------------------


def _steps(subject: Subject, scale: Scale) -> Iterator[Step]:
    decision = subject.outlook.decision
    if decision.is_valid:
        asked = ask(subject.spec, subject.outlook.observation)
        yield from _asked(subject, asked)
        yield from _held(subject, asked)
    else:
        text = "nothing was reported within the window: what was decided last stays"
        yield Step("no data", subject.last, text, decides=True)
        yield from _wishes(subject, 0)
    yield from _bounded(subject, scale)


def _asked(subject: Subject, asked: Asked) -> Iterator[Step]:
    spec, seen, reasons = subject.spec, subject.outlook.observation, asked.reasons
    yield Step(
        "stable window",
        asked.for_stable,
        f"ceil({seen.stable:.6g} / {spec.target:.6g}) = {asked.for_stable}, "
        f"over {format_go_duration(spec.stable_window)}",
        decides=True,
    )
    yield Step(
        "panic window",
        asked.for_panic,
        f"ceil({seen.panic:.6g} / {spec.target:.6g}) = {asked.for_panic}, "
        f"over {format_go_duration(spec.panic_window)}; {asked.for_panic} / "
        f"{max(1, seen.ready_pods)} ready is {_above(asked)} {spec.panic_threshold:.6g}",
    )
    lowest = "0, as no route leads here" if not spec.reachable else str(asked.lowest)
    yield Step(
        "rate limits",
        min(max(asked.for_stable, asked.lowest), asked.highest),
        f"from {lowest} (ready / {spec.max_scale_down_rate:.6g}) to {asked.highest} "
        f"(ready x {spec.max_scale_up_rate:.6g})",
        decides=RATE_LIMITED_UP in reasons or RATE_LIMITED_DOWN in reasons,
    )
    if spec.activation_scale > 1:
        text = f"where any pod is wanted, {spec.activation_scale} are"
        yield Step(
            "activation scale", asked.stable, text, decides=ACTIVATION_SCALE in asked.reasons
        )


def _above(asked: Asked) -> str:
    return "at or above the threshold of" if asked.over_panic_threshold else "below"


def _held(subject: Subject, asked: Asked) -> Iterator[Step]:
    spec, state = subject.spec, subject.outlook.state
    decision, pods = subject.outlook.decision, asked.stable
    if state.panic_since is not None:
        pods = state.max_panic_pods
        left = max(0.0, state.panic_since + spec.stable_window - subject.now)
        held = PANIC_HELD in decision.reasons
        yield Step(
            "panic",
            pods,
            ("the most that were wanted since it began stay" if held else "both windows count")
            + f"; it ends {format_go_duration(round(left))} from now unless it is exceeded again",
            decides=True,
        )
    requests = needed(asked, is_panicking=state.panic_since is not None)
    yield from _wishes(subject, requests)
    if spec.scale_down_delay > 0 and spec.reachable:
        delayed = SCALE_DOWN_DELAYED in decision.reasons
        pods = state.delay.current if state.delay is not None else pods
        text = f"the most of the last {format_go_duration(spec.scale_down_delay)}"
        yield Step("scale-down delay", pods, text, decides=delayed)
    if WINDOW_NOT_SEEN in decision.reasons:
        seen = format_go_duration(round(subject.outlook.observed_seconds))
        text = f"seen for {seen} only: the last pod stays for a whole window"
        yield Step("first window", 1, text, decides=True)


def _wishes(subject: Subject, requests: int) -> Iterator[Step]:
    """Return what others ask for; requests need so many pods by themselves."""
    shares, decides = subject.outlook.wishes, WISHED in subject.outlook.decision.reasons
    for share in shares:
        for trigger in share.wish.triggers:
            pods = -1 if trigger.wish is None else trigger.wish
            yield Step(trigger.name, pods, _triggered(trigger))
        if share.wish.formula is not None:
            yield _by_formula(subject, share, requests)
            continue
        is_most = decides and share.pods == wished(shares)
        yield Step(share.wish.source, share.pods, _shared(share), decides=is_most)


def _by_formula(subject: Subject, share: Share, requests: int) -> Step:
    formula, pods = share.wish.formula, share.pods_beside(requests)
    text = "" if formula is None else f"{formula.text}, requests is {requests}"
    if pods is None:
        text += "; it cannot be told, so no fewer than there are"
    decides = FORMULA in subject.outlook.decision.reasons
    return Step(share.wish.source, -1 if pods is None else pods, text, decides=decides)


def _triggered(trigger: WishTrigger) -> str:
    """Its value and target, as far as they are known, and what else it says."""
    value = "" if trigger.value is None else f"{trigger.value:.6g}"
    target = "" if trigger.target is None else f", {trigger.target:.6g} aimed at per pod"
    return ": ".join(text for text in (f"{value}{target}", trigger.text) if text)


def _shared(share: Share) -> str:
    text = f"wishes for {share.wish.replicas}"
    if share.percent < 100:
        text += f", of which {share.percent} %, its part of the traffic, rounded up"
    return f"{text}; {share.wish.text}" if share.wish.text else text


def _bounded(subject: Subject, scale: Scale) -> Iterator[Step]:
    bounds, phase, wish = subject.bounds, subject.phase, subject.desired
    if scale.desired < 0 and phase.active is not Active.UNKNOWN:
        return
    low, before = bounds.min_scale, max(wish, 0)
    since = phase.initialized_at
    if bounds.initial > 1 and bounds.reachable and _is_new(subject):
        low = max(low, bounds.initial)
        until = "until it was reached" if since is None else "for 6 s after it was reached"
        text = f"at least {bounds.initial}, {until}"
        yield Step("initial scale", max(wish, low), text, decides=wish < bounds.initial)
        before = max(wish, bounds.initial)
    high = bounds.max_scale
    limits = f"min {bounds.min_scale}, max {high or 'none'}"
    if not bounds.reachable:
        limits += "; no route leads here, so min does not count"
    if bounds.scheduled.open:
        limits += f"; scheduled: {', '.join(bounds.scheduled.open)}"
    if bounds.is_surging:
        limits += "; of its rollout, which keeps to a number of pods (rollout-surge)"
    bounded = max(wish, low)
    bounded = min(bounded, high) if high and wish >= low else bounded
    yield Step("bounds", bounded, limits, decides=bounded != before)
    if bounded <= 0:
        yield Step("scale to zero", scale.desired, _to_zero(subject), decides=True)


def _is_new(subject: Subject) -> bool:
    since = subject.phase.initialized_at
    return since is None or since + INITIAL_HOLD_SECONDS > subject.now


def _to_zero(subject: Subject) -> str:
    """Why the last pod goes or stays: the cases of ``scale.settle``."""
    bounds, phase = subject.bounds, subject.phase
    spent = subject.now - phase.since
    ago = format_go_duration(max(0, round(spent)))
    if not bounds.scale_to_zero:
        return "enable-scale-to-zero is false: one pod stays"
    if phase.active is Active.UNKNOWN:
        deadline = format_go_duration(bounds.progress_deadline)
        return f"activating for {ago}; given up 30s after the progress deadline of {deadline}"
    if phase.active is Active.TRUE and spent < bounds.stable_window:
        window = format_go_duration(bounds.stable_window)
        return f"active for {ago}: one pod stays for the stable window of {window}"
    retention = format_go_duration(bounds.retention)
    if bounds.retention > 0 and (phase.active is Active.TRUE or spent < bounds.retention):
        return f"idle; the last pod stays for the retention period of {retention}"
    return "idle for a window; the activator is always in the path, so no grace period is waited"


# -- when it looks again, and what it saw ----------------------------------------------------------


def _looks_again(subject: Subject, scale: Scale) -> str:
    if subject.outlook.is_watched:
        text = f"in {subject.next_tick_in:.1f} s (each 2 s while there are pods or reports)"
    else:
        text = "when a request comes or a pod changes"
    if scale.look_again_after is not None:
        text += f", and in {format_go_duration(round(scale.look_again_after, 1))} for its bounds"
    return text


def _facts(subject: Subject, scale: Scale) -> Json:
    spec, bounds, seen = subject.spec, subject.bounds, subject.outlook
    return {
        "metric": spec.metric,
        "reachable": spec.reachable,
        "active": subject.phase.active.value,
        "applies": scale.apply,
        "sees": {
            "readyPods": seen.observation.ready_pods,
            "stable": round(seen.observation.stable, 6),
            "panic": round(seen.observation.panic, 6),
            "waiting": seen.waiting,
            "observedSeconds": round(seen.observed_seconds, 3),
            "panicMode": seen.decision.panicking,
            "excessBurstCapacity": seen.decision.excess_burst_capacity,
        },
        "settings": {
            "target": spec.target,
            "total": spec.total,
            "targetBurstCapacity": spec.target_burst_capacity,
            "stableWindow": spec.stable_window,
            "panicWindow": spec.panic_window,
            "panicThreshold": spec.panic_threshold,
            "maxScaleUpRate": spec.max_scale_up_rate,
            "maxScaleDownRate": spec.max_scale_down_rate,
            "scaleDownDelay": spec.scale_down_delay,
            "activationScale": spec.activation_scale,
            "initialScale": bounds.initial,
            "minScale": bounds.min_scale,
            "maxScale": bounds.max_scale,
            "scheduled": list(bounds.scheduled.open),
            "scaleToZero": bounds.scale_to_zero,
            "podRetentionPeriod": bounds.retention,
            "progressDeadline": bounds.progress_deadline,
            "aggregation": "weightedExponential" if spec.weighted else "linear",
        },
        "wishes": [{**asdict(share.wish), "pods": share.pods} for share in seen.wishes],
        "reasons": list(seen.decision.reasons),
    }

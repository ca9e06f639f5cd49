"""When to probe and what a probe's answers add up to. Pure; ``probing`` does the asking.

Kubelet probes once a period. A service that is woken by a request cannot wait for that, so a
readiness or startup probe without an initial delay is *eager*: asked at once, every 20 ms in the
first second, every 50 ms up to ten seconds, then by its period. Where many start at once each is
asked less often, since questions take the time that the programs need. Eager misses count against
the failure threshold only once a period, so thresholds mean what they mean on any cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hearth.cluster.node.pod.spec import Probe

EAGER_STEPS = ((1.0, 0.02), (10.0, 0.05))  # (until this age of the container, ask this often)
SHARE_SECONDS = 0.002  # between two eager questions, whomever they are put to


@dataclass(frozen=True, slots=True)
class Progress:
    """Answers so far; ``result`` is what they add up to (None: not yet known)."""

    result: bool | None = None
    successes: int = 0
    failures: int = 0
    counted_at: float = float("-inf")  # when a failure last counted
    is_counted: bool = False  # whether the last answer counted: only then is it worth an event


def first_at(probe: Probe, started_at: float) -> float:
    """When to ask for the first time."""
    return started_at + probe.initial_delay


def is_eager(probe: Probe, progress: Progress, age: float) -> bool:
    """Still waiting for the first success of a container that may come up any moment."""
    return probe.initial_delay == 0 and progress.successes == 0 and age < EAGER_STEPS[-1][0]


def answered(
    probe: Probe, progress: Progress, is_success: bool, *, now: float, eager: bool
) -> Progress:
    """The progress after one more answer."""
    if is_success:
        successes = progress.successes + 1
        result = True if successes >= probe.success_threshold else progress.result
        return Progress(result, successes, 0, progress.counted_at, True)
    if eager and now - progress.counted_at < probe.period:
        return replace(progress, successes=0, is_counted=False)
    failures = progress.failures + 1
    result = False if failures >= probe.failure_threshold else progress.result
    return Progress(result, 0, failures, now, True)


def next_at(
    probe: Probe, progress: Progress, *, started_at: float, now: float, eager: bool, crowd: int = 1
) -> float:
    """When to ask again. ``crowd`` containers are waited for eagerly, this one among them."""
    if eager and is_eager(probe, progress, now - started_at):
        for age, interval in EAGER_STEPS:
            if now - started_at < age:
                return now + min(max(interval, crowd * SHARE_SECONDS), probe.period)
    return now + probe.period

"""The state machine of a pod: from what is observed to what is to be done next. Pure.

Called by ``podworker`` after every change. It is level-based: calling it again on the same
observation gives the same actions, and ``is_starting``/``is_stopping`` mark what is under way.

::

    init containers one by one, sidecars as soon as they are reached and started
      -> main containers, all at once
      -> restarts by policy and back-off; one that a probe wants killed is stopped first
      -> all main containers done: sidecars stop, the pod has Succeeded or Failed
    deletion: main containers stop, then sidecars in reverse; at last the pod is removed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.records import NEW, Record, restart_at
from hearth.cluster.node.pod.spec import Container, PodSpec, Stage


@dataclass(frozen=True, slots=True)
class Deletion:
    """The pod is to go; its processes have until ``deadline``."""

    deadline: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the node ended a pod (``DeadlineExceeded``, ``Evicted``)."""

    reason: str
    message: str
    grace_seconds: float | None = None
    """What its containers are given to end; None: what the pod says."""


@dataclass(frozen=True, slots=True)
class Observed:
    """All that is known of a pod. ``is_prepared``: its address, folder and volumes are there."""

    records: Mapping[str, Record]
    is_prepared: bool = False
    started_at: float = 0.0
    deletion: Deletion | None = None
    failure: Failure | None = None
    network: PodNetwork = field(default_factory=PodNetwork)

    def record(self, name: str) -> Record:
        """The record of a container; a new one before its first start."""
        return self.records.get(name, NEW)


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make the pod's folder and volumes."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start a container."""

    container: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End a container: preStop, SIGTERM, and SIGKILL at the deadline."""

    container: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Fail:
    """End the pod as failed."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Remove:
    """Nothing runs any more: clean up and take the pod out of the API."""


Action = Prepare | Start | Stop | Fail | Remove


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now, and when to look again if nothing happens before."""

    actions: tuple[Action, ...] = ()
    wake_at: float | None = None


DEADLINE_EXCEEDED = Failure(
    "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
)


def step(pod: PodSpec, observed: Observed, now: float) -> Step:
    """What to do now, and when to look again if nothing happens before."""
    if observed.deletion is not None:
        stops = _stop_all(pod, observed, observed.deletion.deadline)
        done = not any(_is_alive(observed.record(c.name)) for c in pod.containers)
        return Step((Remove(),) if done else stops)
    if observed.failure is not None or phase(pod, observed) in ("Succeeded", "Failed"):
        grace = observed.failure.grace_seconds if observed.failure is not None else None
        deadline = now + (pod.grace_seconds if grace is None else grace)
        return Step(_stop_all(pod, observed, deadline))
    expires = _expiry(pod, observed)
    if expires is not None and now >= expires:
        return Step((Fail(DEADLINE_EXCEEDED),))
    if not observed.is_prepared:
        return Step((Prepare(),), wake_at=expires)
    return _wake_by(_run(pod, observed, now), expires)


def _wake_by(step: Step, deadline: float | None) -> Step:
    times = [t for t in (step.wake_at, deadline) if t is not None]
    return Step(step.actions, min(times) if times else None)


def _expiry(pod: PodSpec, observed: Observed) -> float | None:
    if pod.active_deadline is None or not observed.started_at:
        return None
    return observed.started_at + pod.active_deadline


# -- running ------------------------------------------------------------------------------------


def _run(pod: PodSpec, observed: Observed, now: float) -> Step:
    actions: list[Action] = []
    wakes: list[float] = []
    for container in _due(pod, observed):
        action, wake = _advance(pod, container, observed.record(container.name), now=now)
        if action is not None:
            actions.append(action)
        if wake is not None:
            wakes.append(wake)
    if _is_work_done(pod, observed):
        actions = [a for a in actions if not isinstance(a, Start)]
        actions += _stop_sidecars(pod, observed, now + pod.grace_seconds)
    return Step(tuple(actions), min(wakes) if wakes else None)


def _due(pod: PodSpec, observed: Observed) -> list[Container]:
    """The containers that may run now: up to the first unfinished init container, or all."""
    due: list[Container] = []
    has_begun = _has_begun_work(pod, observed)
    for container in pod.of_stage(Stage.INIT, Stage.SIDECAR):
        record = observed.record(container.name)
        if container.stage is Stage.SIDECAR:
            due.append(container)
            if not (record.is_started or has_begun):
                return due
        elif not (_has_succeeded(record) or has_begun):
            due.append(container)
            return due
    return due + list(pod.of_stage(Stage.MAIN))


def _has_begun_work(pod: PodSpec, observed: Observed) -> bool:
    """Main containers have run: the pod is initialized, whatever is still known of that.

    A crashing sidecar holds nothing up any more, and an init container is not run again.
    """
    return any(_has_run(observed.record(c.name)) for c in pod.of_stage(Stage.MAIN))


def _has_run(record: Record) -> bool:
    return record.running is not None or record.ended is not None


def _has_succeeded(record: Record) -> bool:
    return record.ended is not None and record.ended.exit_code == 0


def _is_alive(record: Record) -> bool:
    return record.running is not None or record.is_starting


def _advance(
    pod: PodSpec, container: Container, record: Record, *, now: float
) -> tuple[Action | None, float | None]:
    """The next action on one container that may run, and when to look at it again."""
    if record.is_starting or record.is_stopping:
        return None, None
    if record.running is not None:
        if not record.kill_reason:
            return None, None
        grace = pod.grace_seconds if record.kill_grace is None else record.kill_grace
        return Stop(container.name, now + grace), None
    if record.ended is not None and not will_restart(pod, container, record):
        return None, None
    start_at = max(restart_at(record), record.waiting.retry_at if record.waiting else 0.0)
    if now < start_at:
        return None, start_at
    return Start(container.name), None


def will_restart(pod: PodSpec, container: Container, record: Record) -> bool:
    """Whether an ended container is to run again."""
    assert record.ended is not None
    match container.stage, pod.restart_policy:
        case Stage.SIDECAR, _:
            return True
        case Stage.INIT, "Always" | "OnFailure":
            return record.ended.exit_code != 0
        case Stage.MAIN, "Always":
            return True
        case Stage.MAIN, "OnFailure":
            return record.ended.exit_code != 0
    return False


def _is_work_done(pod: PodSpec, observed: Observed) -> bool:
    mains = pod.of_stage(Stage.MAIN)
    return all(_is_final(pod, c, observed.record(c.name)) for c in mains)


def _is_final(pod: PodSpec, container: Container, record: Record) -> bool:
    return record.ended is not None and not will_restart(pod, container, record)


# -- ending -------------------------------------------------------------------------------------


def _stop_all(pod: PodSpec, observed: Observed, deadline: float) -> tuple[Action, ...]:
    first = pod.of_stage(Stage.MAIN, Stage.INIT)
    if any(_is_alive(observed.record(c.name)) for c in first):
        return tuple(
            Stop(c.name, deadline) for c in first if _is_stoppable(observed.record(c.name))
        )
    return _stop_sidecars(pod, observed, deadline)


def _stop_sidecars(pod: PodSpec, observed: Observed, deadline: float) -> tuple[Action, ...]:
    """One after the other, the last started first."""
    for container in reversed(pod.of_stage(Stage.SIDECAR)):
        record = observed.record(container.name)
        if _is_stoppable(record):
            return (Stop(container.name, deadline),)
        if _is_alive(record):
            return ()
    return ()


def _is_stoppable(record: Record) -> bool:
    return record.running is not None and not record.is_stopping


# -- phase --------------------------------------------------------------------------------------


def phase(pod: PodSpec, observed: Observed) -> str:
    """Pending, Running, Succeeded or Failed, by kubelet's rules."""
    if observed.failure is not None:
        return "Failed"
    inits = () if _has_begun_work(pod, observed) else pod.of_stage(Stage.INIT)
    for container in inits:
        record = observed.record(container.name)
        if not _has_succeeded(record):
            return "Failed" if _is_final(pod, container, record) else "Pending"
    mains = [(c, observed.record(c.name)) for c in pod.of_stage(Stage.MAIN)]
    if not all(_has_run(record) for _, record in mains):
        return "Pending"
    if not all(_is_final(pod, c, record) for c, record in mains):
        return "Running"
    if any(_is_alive(observed.record(c.name)) for c in pod.of_stage(Stage.SIDECAR)):
        return "Running"
    return "Succeeded" if all(_has_succeeded(record) for _, record in mains) else "Failed"

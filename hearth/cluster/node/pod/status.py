"""The status of a pod as kubelet writes it, from the records of its containers. Pure.

``make_status`` keeps what others own (``qosClass``, conditions of other writers) and the
transition times of conditions that did not change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hearth.cluster.node.pod.lifecycle import Observed, phase, will_restart
from hearth.cluster.node.pod.network import NODE_ADDRESS
from hearth.cluster.node.pod.records import Record, Terminated, Waiting, restart_at
from hearth.cluster.node.pod.spec import Container, PodSpec, Stage
from hearth.kube.clock import rfc3339
from hearth.kube.durations import format_go_duration

Status = dict[str, Any]
LISTENING = "hearth.dev/Listening"
"""False, with a message, where a program listens on another port than it is asked for at."""
_OURS = (
    *("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"),
    LISTENING,
)
_FAILED_START = ("ErrImagePull", "InvalidImageName")
_SHOW_PULL_ERROR_SECONDS = 1.0


def make_status(
    pod: PodSpec, observed: Observed, previous: Mapping[str, Any], *, now: float
) -> Status:
    """The whole status object to write, given the one in the API."""
    current = phase(pod, observed)
    status: Status = {k: v for k, v in previous.items() if k in ("qosClass", "observedGeneration")}
    status |= {"phase": current, "conditions": _conditions(pod, observed, previous, now=now)}
    if observed.failure is not None:
        status |= {"reason": observed.failure.reason, "message": observed.failure.message}
    status |= {"hostIP": NODE_ADDRESS, "hostIPs": [{"ip": NODE_ADDRESS}]}
    if observed.is_prepared:
        status |= {"podIP": observed.network.ip, "podIPs": [{"ip": observed.network.ip}]}
    if observed.started_at:
        status["startTime"] = rfc3339(observed.started_at)
    inits = pod.of_stage(Stage.INIT, Stage.SIDECAR)
    if inits:
        status["initContainerStatuses"] = [
            _container_status(pod, c, observed, now=now) for c in inits
        ]
    mains = sorted(pod.of_stage(Stage.MAIN), key=lambda c: c.name)
    status["containerStatuses"] = [_container_status(pod, c, observed, now=now) for c in mains]
    return status


# -- containers ---------------------------------------------------------------------------------


def _container_status(
    pod: PodSpec, container: Container, observed: Observed, *, now: float
) -> Status:
    record = observed.record(container.name)
    state, last = _states(pod, container, observed, now=now)
    status: Status = {
        "name": container.name,
        "image": container.image,
        "imageID": record.image_id,
        "lastState": last,
        "ready": _is_ready(container, record),
        "restartCount": record.restarts,
        "started": record.is_started and record.running is not None,
        "state": state,
    }
    if record.container_id:
        status["containerID"] = record.container_id
    return status


def _is_ready(container: Container, record: Record) -> bool:
    if container.stage is Stage.INIT:
        return record.ended is not None and record.ended.exit_code == 0
    return record.running is not None and record.is_ready


def _states(
    pod: PodSpec, container: Container, observed: Observed, *, now: float
) -> tuple[Status, Status]:
    """``state`` and ``lastState``."""
    record = observed.record(container.name)
    last = _terminated(record.last) if record.last else {}
    if record.running is not None:
        return {"running": {"startedAt": rfc3339(record.running.started_at)}}, last
    before = _terminated(record.ended) if record.ended else last
    if record.waiting is not None:
        return {"waiting": _waiting_state(container, record.waiting, now=now)}, before
    if record.ended is None:
        return {"waiting": {"reason": _first_reason(pod, container)}}, last
    ending = observed.deletion is not None or observed.failure is not None
    if ending or not will_restart(pod, container, record):
        return _terminated(record.ended), last
    if now < restart_at(record) and record.backoff is not None:
        return {"waiting": _crash_loop(pod, container, record.backoff.delay)}, before
    if record.ended.reason == "StartError":
        return {"waiting": _waiting("RunContainerError", record.ended.message)}, before
    return _terminated(record.ended), last


def _first_reason(pod: PodSpec, container: Container) -> str:
    return "PodInitializing" if pod.of_stage(Stage.INIT, Stage.SIDECAR) else "ContainerCreating"


def _waiting_state(container: Container, waiting: Waiting, *, now: float) -> Status:
    """A pull error is shown as such at first, then as the wait for the next try."""
    if waiting.reason in _FAILED_START and (
        waiting.attempts > 1 or now >= waiting.since + _SHOW_PULL_ERROR_SECONDS
    ):
        text = f'Back-off pulling image "{container.image}": {waiting.reason}: '
        return _waiting("ImagePullBackOff", text + waiting.message)
    return _waiting(waiting.reason, waiting.message)


def changes_at(observed: Observed, now: float) -> float | None:
    """When the status will read differently by time alone (the pull error's second face)."""
    times = [
        record.waiting.since + _SHOW_PULL_ERROR_SECONDS
        for record in observed.records.values()
        if record.waiting is not None and record.waiting.reason in _FAILED_START
    ]
    return min((t for t in times if t > now), default=None)


def _crash_loop(pod: PodSpec, container: Container, delay: float) -> Status:
    text = f"back-off {format_go_duration(delay)} restarting failed container={container.name}"
    return _waiting("CrashLoopBackOff", f"{text} pod={pod.full_name}")


def _waiting(reason: str, message: str) -> Status:
    return {"reason": reason, "message": message} if message else {"reason": reason}


def _terminated(how: Terminated) -> Status:
    state: Status = {
        "exitCode": how.exit_code,
        "reason": how.reason,
        "startedAt": rfc3339(how.started_at) if how.started_at else rfc3339(how.finished_at),
        "finishedAt": rfc3339(how.finished_at),
    }
    if how.signal:
        state["signal"] = how.signal
    if how.message:
        state["message"] = how.message
    if how.container_id:
        state["containerID"] = how.container_id
    return {"terminated": state}


# -- conditions ---------------------------------------------------------------------------------


def _conditions(
    pod: PodSpec, observed: Observed, previous: Mapping[str, Any], *, now: float
) -> list[Status]:
    before = {c["type"]: c for c in previous.get("conditions") or ()}
    others = [c for c in before.values() if c["type"] not in _OURS]
    containers_ready = _containers_ready(pod, observed)
    conditions = [
        _condition("PodReadyToStartContainers", observed.is_prepared),
        _initialized(pod, observed),
        _ready(pod, containers_ready, before),
        {"type": "ContainersReady", **containers_ready},
        _condition("PodScheduled", True),
        *_listening(pod, observed),
    ]
    return [_dated(c, before.get(c["type"]), now=now) for c in conditions] + others


def _listening(pod: PodSpec, observed: Observed) -> list[Status]:
    found = [observed.record(c.name) for c in pod.containers]
    texts = [each.listening for each in found if each.running is not None and not each.is_ready]
    text = "; ".join(filter(None, texts))
    return [_condition(LISTENING, False, reason="OtherPort", message=text)] if text else []


def _condition(kind: str, holds: bool, *, reason: str = "", message: str = "") -> Status:
    condition: Status = {"type": kind, "status": "True" if holds else "False"}
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def _dated(condition: Status, before: Mapping[str, Any] | None, *, now: float) -> Status:
    same = before is not None and before["status"] == condition["status"]
    since = before["lastTransitionTime"] if same and before is not None else rfc3339(now)
    return {**condition, "lastProbeTime": None, "lastTransitionTime": since}


def _initialized(pod: PodSpec, observed: Observed) -> Status:
    open_inits = [
        c.name
        for c in pod.of_stage(Stage.INIT, Stage.SIDECAR)
        if not _is_initialised(c, observed.record(c.name))
    ]
    if not open_inits:
        reason = "PodCompleted" if phase(pod, observed) == "Succeeded" else ""
        return _condition("Initialized", True, reason=reason)
    message = f"containers with incomplete status: {_names(open_inits)}"
    return _condition("Initialized", False, reason="ContainersNotInitialized", message=message)


def _is_initialised(container: Container, record: Record) -> bool:
    if container.stage is Stage.SIDECAR:
        return record.is_started or record.ended is not None
    return record.ended is not None and record.ended.exit_code == 0


def _containers_ready(pod: PodSpec, observed: Observed) -> Status:
    current = phase(pod, observed)
    if current in ("Succeeded", "Failed"):
        return {
            "status": "False",
            "reason": "PodCompleted" if current == "Succeeded" else "PodFailed",
        }
    relevant = pod.of_stage(Stage.SIDECAR, Stage.MAIN)
    unready = [c.name for c in relevant if not _is_ready(c, observed.record(c.name))]
    if not unready:
        return {"status": "True"}
    message = f"containers with unready status: {_names(unready)}"
    return {"status": "False", "reason": "ContainersNotReady", "message": message}


def _ready(
    pod: PodSpec, containers_ready: Status, conditions: Mapping[str, Mapping[str, Any]]
) -> Status:
    if containers_ready["status"] != "True":
        return {"type": "Ready", **containers_ready}
    messages = [m for gate in pod.readiness_gates if (m := _gate_message(gate, conditions))]
    if messages:
        text = ", ".join(messages)
        return _condition("Ready", False, reason="ReadinessGatesNotReady", message=text)
    return _condition("Ready", True)


def _gate_message(gate: str, conditions: Mapping[str, Mapping[str, Any]]) -> str:
    if gate not in conditions:
        return f'corresponding condition of pod readiness gate "{gate}" does not exist.'
    status = conditions[gate]["status"]
    if status == "True":
        return ""
    return f'the status of pod readiness gate "{gate}" is not "True", but {status}'


def _names(names: Sequence[str]) -> str:
    return f"[{' '.join(names)}]"

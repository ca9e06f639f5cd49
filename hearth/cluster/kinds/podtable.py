"""The table row of a pod: its state in one word, ready containers, restarts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hearth.cluster.model.kind import Object
from hearth.cluster.model.tables import NONE, age, name, since


@dataclass
class _Tally:
    """What is added up while walking over the container statuses."""

    reason: str
    total: int
    ready: int = 0
    restarts: int = 0
    last_restart: str = ""  # RFC 3339 in UTC, so that text order is time order
    sidecars: set[str] = field(default_factory=set)

    def add_restarts(self, status: Object) -> None:
        self.restarts += status.get("restartCount", 0)
        ended = (status.get("lastState") or {}).get("terminated") or {}
        self.last_restart = max(self.last_restart, ended.get("finishedAt") or "")


def pod(obj: Object, now: float) -> Sequence[Any]:
    """The cells of a Pod: readiness, the state in one word, restarts, age, place."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    tally = _tally(spec, status)
    restarts = str(tally.restarts)
    if tally.restarts and tally.last_restart:
        restarts = f"{tally.restarts} ({since(tally.last_restart, now)} ago)"
    addresses = status.get("podIPs") or [{}]
    return (
        name(obj),
        f"{tally.ready}/{tally.total}",
        _reason(obj, tally.reason),
        restarts,
        age(obj, now),
        addresses[0].get("ip") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _readiness_gates(spec, status),
    )


def _reason(obj: Object, reason: str) -> str:
    status = obj.get("status") or {}
    if not obj["metadata"].get("deletionTimestamp"):
        return reason
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return reason if status.get("phase") in ("Succeeded", "Failed") else "Terminating"


def _tally(spec: Object, status: Object) -> _Tally:
    sidecars = {
        c.get("name", "")
        for c in spec.get("initContainers") or ()
        if c.get("restartPolicy") == "Always"
    }
    conditions = status.get("conditions") or []
    reason = status.get("reason") or status.get("phase", "")
    if any(_is(c, "PodScheduled") and c.get("reason") == "SchedulingGated" for c in conditions):
        reason = "SchedulingGated"
    total = len(spec.get("containers") or ()) + len(sidecars)
    tally = _Tally(reason, total, sidecars=sidecars)
    initializing = _tally_init(tally, spec, status)
    initialized = any(_is_true(c, "Initialized") for c in conditions)
    if not initializing or initialized:
        _tally_containers(tally, status, conditions)
    return tally


def _is(condition: Object, kind: str) -> bool:
    return condition.get("type") == kind


def _is_true(condition: Object, kind: str) -> bool:
    return _is(condition, kind) and condition.get("status") == "True"


def _tally_init(tally: _Tally, spec: Object, status: Object) -> bool:
    """Whether an init container still runs or has failed; its state becomes the pod's reason."""
    for i, container in enumerate(status.get("initContainerStatuses") or ()):
        tally.add_restarts(container)
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        is_sidecar = container.get("name") in tally.sidecars
        if terminated and terminated.get("exitCode", 0) == 0:
            continue
        if is_sidecar and container.get("started"):
            tally.ready += bool(container.get("ready"))
            continue
        if terminated:
            tally.reason = "Init:" + _ended(terminated)
        elif waiting.get("reason") not in (None, "", "PodInitializing"):
            tally.reason = "Init:" + waiting["reason"]
        else:
            tally.reason = f"Init:{i}/{len(spec.get('initContainers') or ())}"
        return True
    return False


def _ended(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _tally_containers(tally: _Tally, status: Object, conditions: list[Object]) -> None:
    tally.restarts, tally.last_restart = 0, ""
    for container in status.get("initContainerStatuses") or ():
        if container.get("name") in tally.sidecars:
            tally.add_restarts(container)
    running = False
    for container in reversed(status.get("containerStatuses") or []):
        tally.add_restarts(container)
        state = container.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            tally.reason = state["waiting"]["reason"]
        elif state.get("terminated"):
            tally.reason = _ended(state["terminated"])
        elif container.get("ready") and state.get("running") is not None:
            running = True
            tally.ready += 1
    if tally.reason == "Completed" and running:
        ready = any(_is_true(c, "Ready") for c in conditions)
        tally.reason = "Running" if ready else "NotReady"


def _readiness_gates(spec: Object, status: Object) -> str:
    gates = spec.get("readinessGates") or []
    if not gates:
        return NONE
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or ()}
    true = sum(conditions.get(gate.get("conditionType")) == "True" for gate in gates)
    return f"{true}/{len(gates)}"

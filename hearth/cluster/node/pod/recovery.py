"""Records of a pod whose folder is lost, from its status: so that nothing runs twice. Pure.

A status is written by the node, and may be by anybody else; what it does not say is taken for zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hearth.cluster.node.pod import records
from hearth.cluster.node.pod.lifecycle import Failure
from hearth.cluster.node.pod.records import Record, Running, Terminated
from hearth.kube.clock import parse_rfc3339
from hearth.kube.meta import Object


def records_of(pod: Object, now: float) -> dict[str, Record]:
    """The record of each container; what ran is counted as ended unseen at ``now``."""
    status = pod.get("status") or {}
    return {
        entry["name"]: _record(entry, now)
        for field in ("initContainerStatuses", "containerStatuses")
        for entry in status.get(field) or ()
    }


def failure_of(pod: Object) -> Failure | None:
    """What an earlier run of the node has ended a pod for, which does not run again."""
    status = pod.get("status") or {}
    if status.get("phase") != "Failed" or not status.get("reason"):
        return None
    return Failure(str(status["reason"]), str(status.get("message") or ""))


def _record(entry: Mapping[str, Any], now: float) -> Record:
    state = entry.get("state") or {}
    record = Record(restarts=entry.get("restartCount", 0), image_id=entry.get("imageID", ""))
    if state.get("running"):
        running = Running(_seconds(state["running"].get("startedAt")))
        container_id = entry.get("containerID", "")
        return records.lost(replace(record, running=running, container_id=container_id), now=now)
    ended = state.get("terminated")
    return records.exited(record, _terminated(ended)) if ended else record


def _terminated(state: Mapping[str, Any]) -> Terminated:
    return Terminated(
        exit_code=state.get("exitCode", 0),
        reason=state.get("reason", "Error"),
        finished_at=_seconds(state.get("finishedAt")),
        started_at=_seconds(state.get("startedAt")),
        signal=state.get("signal", 0),
        message=state.get("message", ""),
        container_id=state.get("containerID", ""),
    )


def _seconds(moment: str | None) -> float:
    return parse_rfc3339(moment) if moment else 0.0

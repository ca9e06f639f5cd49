"""Containers that do not get on: which, and with which words they ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.meta import Object

LOOP_SECONDS = 600.0
"""A container that was restarted within this time counts as one that keeps ending."""
_USUAL_WAITS = ("ContainerCreating", "PodInitializing")


def troubled_containers(
    pods: Sequence[Object], now: float
) -> Iterator[tuple[Object, Mapping[str, Any]]]:
    """Pods with the status of each container that does not start or keeps ending."""
    for pod in sorted(pods, key=meta.key):
        if meta.is_deleting(pod):
            continue
        status = pod.get("status") or {}
        for field in ("initContainerStatuses", "containerStatuses"):
            for container in status.get(field) or ():
                if is_troubled(container, now):
                    yield pod, container


def is_troubled(container: Mapping[str, Any], now: float) -> bool:
    """Whether a container, by its status, does not start or keeps ending."""
    state = container.get("state") or {}
    waiting = state.get("waiting")
    if waiting is not None:
        return waiting.get("reason", "") not in ("", *_USUAL_WAITS)
    last = (container.get("lastState") or {}).get("terminated") or {}
    is_running_again = "running" in state and container.get("restartCount", 0) > 0
    if not is_running_again or last.get("exitCode") == 0 or not last.get("finishedAt"):
        return False
    return now - parse_rfc3339(last["finishedAt"]) < LOOP_SECONDS


def describe_container(pod: Object, container: Mapping[str, Any]) -> dict[str, Any]:
    """State, restarts and last words of a container in trouble."""
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    last = (container.get("lastState") or {}).get("terminated") or {}
    shown = waiting.get("reason") or f"Running, ended with code {last.get('exitCode')} before"
    is_crash = shown == "CrashLoopBackOff" or not waiting  # the back-off's message says no more
    return {
        "namespace": meta.namespace(pod),
        "pod": meta.name(pod),
        "container": container["name"],
        "state": shown,
        "restarts": container.get("restartCount", 0),
        "lastWords": last.get("message", "") if is_crash else waiting.get("message", ""),
    }

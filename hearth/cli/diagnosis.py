"""What ``hearth status`` makes of states: what is well, what ended and with which words. Pure."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hearth.knative.views import READY, KnativeView
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.meta import Object

RECENT_SECONDS = 60.0
"""A component that ended by itself within this time is not trusted yet."""
LOOP_SECONDS = 600.0
"""A container that was restarted within this time counts as one that keeps ending."""
NOT_NEEDED = "not needed yet"
"""The state of a component that is started when the first object asks for it."""
_USUAL_WAITS = ("ContainerCreating", "PodInitializing")


# -- components ---------------------------------------------------------------------------------


def describe_component(health: Mapping[str, Any], now: float) -> dict[str, Any]:
    """State, restarts and last words of a component; ``health`` is its ``ComponentState``.

    ``trouble`` says whether it needs a look. ``now`` is of the monotonic clock of its ``ended_at``.
    """
    restarts = health.get("restarts", 0)
    since = now - health.get("ended_at", 0.0)
    if not health.get("is_wanted", True):
        return {"state": NOT_NEEDED, "restarts": 0, "lastWords": "", "trouble": False}
    state = "running"
    if health.get("pid", -1) == 0:
        state = "down"
    elif not health.get("is_ready", True):
        state = "starting"
    has_just_ended = bool(restarts) and since < RECENT_SECONDS
    if has_just_ended:
        state += f", ended {since:.0f}s ago"
    return {
        "state": state,
        "restarts": restarts,
        "lastWords": _last_words(health) if restarts else "",
        "trouble": has_just_ended or state != "running",
    }


def _last_words(health: Mapping[str, Any]) -> str:
    words: str = health.get("last_words", "")
    return words or describe_exit(health.get("exit_code", 0))


def describe_exit(code: int) -> str:
    """An exit code in words; a signal's is negative."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


# -- services -----------------------------------------------------------------------------------


def describe_service(service: Object) -> dict[str, Any]:
    """Name, address and readiness of a Knative Service."""
    view = KnativeView(service)
    return {
        "namespace": meta.namespace(service),
        "name": meta.name(service),
        "url": view.status.get("url", ""),
        "ready": view.conditions.status(READY),
        "reason": view.conditions.reason(READY),
    }


# -- containers ---------------------------------------------------------------------------------


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
                if _is_troubled(container, now):
                    yield pod, container


def _is_troubled(container: Mapping[str, Any], now: float) -> bool:
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

"""What ``hearth status`` makes of states: what is well, what ended and with which words. Pure."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from hearth.knative.views import READY, KnativeView
from hearth.kube import meta
from hearth.kube.meta import Object

RECENT_SECONDS = 60.0
"""A component that ended by itself within this time is not trusted yet."""
NOT_NEEDED = "not needed yet"
"""The state of a component that is started when the first object asks for it."""


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

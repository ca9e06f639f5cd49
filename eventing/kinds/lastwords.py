"""Why a pod of an adapter does not run: what its container said last, or could not be given. Pure.

An adapter that meets what the user has to mend ends, and its last line of log is in the status of
its pod (``terminationMessagePolicy``). So its account needs no right to tell anybody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from eventing.api.views import status_of
from eventing.kinds.adapters import ADAPTER_LABEL
from hearth.kube import meta
from hearth.kube.controllerspec import Lister, Source
from hearth.kube.meta import Object
from hearth.kube.resources import PODS

ADAPTER_FAILED = "AdapterFailed"
ADAPTER_PODS = Source(PODS, label_selector=ADAPTER_LABEL)


def pods_of(lister: Lister, where: str, labels: Mapping[str, str]) -> Sequence[Object]:
    """Return the pods of an adapter."""
    found = lister.list(ADAPTER_PODS, where)
    return [pod for pod in found if labels.items() <= meta.labels(pod).items()]


def last_words(pods: Sequence[Object]) -> str:
    """Return why the newest pod that is not ready is not; "" where nothing is known."""
    newest_first = sorted(pods, key=meta.creation_timestamp, reverse=True)
    return next((words for words in map(_words, newest_first) if words), "")


def _words(pod: Object) -> str:
    for told in status_of(pod).get("containerStatuses") or ():
        if told.get("ready"):
            continue
        state, last = told.get("state") or {}, told.get("lastState") or {}
        waiting = state.get("waiting") or {}
        for ended in (state.get("terminated"), last.get("terminated")):
            if ended and ended.get("exitCode") and ended.get("message"):
                return _said(ended["message"])
        # CreateContainerConfigError tells of a Secret that is not there.
        if waiting.get("message") and waiting.get("reason") != "ContainerCreating":
            return f"{waiting.get('reason')}: {waiting['message']}"
    return ""


def _said(message: str) -> str:
    """What the last line says, which is JSON in a cluster."""
    lines = [line for line in message.splitlines() if line.strip()]
    try:
        entry: Any = json.loads(lines[-1])
        return str(entry["message"])
    except (IndexError, KeyError, TypeError, ValueError):
        return lines[-1].strip() if lines else ""

"""The event that tells how a run ended. Pure."""

from __future__ import annotations

import json
from typing import Any

from eventing.codec import Event
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.pipelines.api import keys
from hearth.pipelines.views import Run

TYPE = "dev.hearth.pipelines.run."
DEPTH = "pipelinedepth"
MOST_DEPTH = 16
"""How many runs may come about one by the end of another."""


def source_of(namespace: str, pipeline: str) -> str:
    """Return the source of a pipeline's events."""
    return f"/apis/{keys.GROUP}/{keys.VERSION}/namespaces/{namespace}/pipelines/{pipeline}"


def make_answer(run: Object) -> Event:
    """Return the event of a run that is over.

    Where the event that began it waits for a reply (a RequestReply put ``correlationid`` on it),
    this one has it as ``replyid``, and the summary alone as its data.
    """
    view = Run(run)
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": meta.uid(run),
        "source": source_of(meta.namespace(run), view.pipeline),
        "type": TYPE + view.phase.lower(),
        "subject": meta.name(run),
        DEPTH: str(depth(view.event) + 1),
    }
    waiting = view.event.get("correlationid")
    said: Any = _told(run)
    if waiting:
        attributes["replyid"] = str(waiting)
        said = _words(view)
    if isinstance(said, str):
        return Event({**attributes, "datacontenttype": "text/plain; charset=utf-8"}, said.encode())
    return Event({**attributes, "datacontenttype": "application/json"}, json.dumps(said).encode())


def _told(run: Object) -> dict[str, Any]:
    view = Run(run)
    event = {name: view.event.get(name) for name in ("id", "source", "type")}
    fields = ("phase", "reason", "message", "summary", "startedAt", "finishedAt")
    found = {name: view.status[name] for name in fields if name in view.status}
    jobs = {name: job.get("phase") for name, job in view.jobs.items()}
    return {"pipeline": view.pipeline, "run": meta.name(run), "event": event, "jobs": jobs} | found


def _words(view: Run) -> Any:
    summary = view.status.get("summary")
    if view.phase == keys.SUCCEEDED:
        return f"{view.pipeline}: done" if summary is None else summary
    return f"{view.pipeline}: {view.phase}: {view.status.get('message') or 'no message'}"


def depth(event: dict[str, Any]) -> int:
    """Return how many runs led to an event, one by the end of another."""
    try:
        return int(event.get(DEPTH) or 0)
    except (TypeError, ValueError):
        return 0

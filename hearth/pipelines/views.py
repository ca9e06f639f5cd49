"""Typed looks at Pipelines and PipelineRuns as they are stored. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.views import View
from hearth.pipelines.api import keys

_CONCURRENCY, _TIMEOUT, _HISTORY = 4, 3600, 20
Fields = dict[str, Any]


class PipelineSettings:
    """The spec of a Pipeline, with what counts where nothing is said."""

    __slots__ = ("spec",)

    def __init__(self, spec: Fields) -> None:
        self.spec = spec

    @property
    def broker(self) -> str:
        """Whose events start it."""
        return str(self.spec.get("broker") or "default")

    @property
    def concurrency(self) -> int:
        """How many runs may be under way."""
        return int(self.spec.get("concurrency") or _CONCURRENCY)

    @property
    def timeout(self) -> int:
        """Seconds that a run may take."""
        return int(self.spec.get("timeoutSeconds") or _TIMEOUT)

    @property
    def history(self) -> int:
        """How many finished runs are kept."""
        given = self.spec.get("historyLimit")
        return _HISTORY if given is None else int(given)

    @property
    def secrets(self) -> list[str]:
        """Which Secrets jobs may use."""
        return list(self.spec.get("secrets") or ())


class Run(View):
    """A PipelineRun."""

    __slots__ = ()

    @property
    def pipeline(self) -> str:
        """The name of its pipeline."""
        return str(self.spec.get("pipeline", ""))

    @property
    def event(self) -> Fields:
        """The event in its JSON form."""
        return dict(self.spec.get("event") or {})

    @property
    def settings(self) -> PipelineSettings:
        """The pipeline's spec as it was."""
        return PipelineSettings(self.spec.get("settings") or {})

    @property
    def phase(self) -> str:
        """How it is; Pending before anybody has looked."""
        return str(self.status.get("phase") or keys.PENDING)

    @property
    def is_final(self) -> bool:
        """Whether it is over."""
        return self.phase in keys.FINAL

    @property
    def jobs(self) -> dict[str, Fields]:
        """Its jobs by name."""
        return dict(self.status.get("jobs") or {})


def order(run: Object) -> tuple[str, str]:
    """By which runs are begun: the oldest first."""
    return meta.creation_timestamp(run), meta.name(run)


def run_name(pipeline: str, event: Fields) -> str:
    """Return the name of an event's run: the same for one source and id, however often sent."""
    said = f"{event.get('source', '')}\n{event.get('id', '')}".encode()
    return f"{pipeline}-{hashlib.sha256(said).hexdigest()[:10]}"


def new_run(pipeline: Object, script: str, event: Fields, *, name: str = "", **more: Any) -> Object:
    """Return the run of an event, with the pipeline as it is now."""
    settings = {key: value for key, value in pipeline["spec"].items() if key != "script"}
    return {
        "apiVersion": keys.RUNS.api_version,
        "kind": keys.RUNS.kind,
        "metadata": {
            "name": name or run_name(meta.name(pipeline), event),
            "namespace": meta.namespace(pipeline),
            "labels": {keys.PIPELINE_LABEL: meta.name(pipeline)},
            "ownerReferences": [meta.owner_reference(pipeline, controller=False)],
        },
        "spec": {
            "pipeline": meta.name(pipeline),
            "event": event,
            "script": script,
            "settings": settings,
            **more,
        },
    }

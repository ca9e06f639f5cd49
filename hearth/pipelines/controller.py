"""Pipelines and their runs, kept as they should be: reads, decides, writes.

Nothing is remembered here that is not in the API, so it may end at any moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hearth.knative.resources import TRIGGERS
from hearth.kube import meta
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.controllerspec import Index, Lister, Source, Watch, label_key, owner_key
from hearth.kube.errors import AlreadyExists, Invalid, NotFound, Retryable
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Patch, Plan
from hearth.kube.resources import CONFIGMAPS, PERSISTENTVOLUMECLAIMS, PODS, SECRETS
from hearth.pipelines import keeping
from hearth.pipelines.api import keys
from hearth.pipelines.reading import ScriptError
from hearth.pipelines.runs import decide
from hearth.pipelines.settings import Settings
from hearth.pipelines.views import Run

log = logging.getLogger(__name__)

PIPELINE_SOURCE, RUN_SOURCE = Source(keys.PIPELINES), Source(keys.RUNS)
POD_SOURCE = Source(PODS, label_selector=keys.RUN_LABEL)
TRIGGER_SOURCE = Source(TRIGGERS, label_selector=keys.PIPELINE_LABEL)
_STATUS_DELAY = 0.5
"""A Pipeline's status only tells of its runs: it may come when they have no hurry any more."""
_CONFIG_MAP_SECONDS = 30.0
_KINDS = {"Secret": SECRETS, "PersistentVolumeClaim": PERSISTENTVOLUMECLAIMS}


def _of_pipeline(run: Object) -> Iterator[str]:
    yield f"{meta.namespace(run)}/{Run(run).pipeline}"


def _of_run(pod: Object) -> Iterator[str]:
    yield f"{meta.namespace(pod)}/{meta.labels(pod).get(keys.RUN_LABEL, '')}"


RUNS_BY_PIPELINE = Index(RUN_SOURCE, _of_pipeline)
PODS_BY_RUN = Index(POD_SOURCE, _of_run)
TRIGGERS_BY_PIPELINE = Index(
    TRIGGER_SOURCE,
    lambda obj: [f"{meta.namespace(obj)}/{meta.labels(obj).get(keys.PIPELINE_LABEL, '')}"],
)


def _waiting_ones(lister: Lister, run: Object) -> Iterator[Key]:
    """A run that is over lets others begin."""
    if Run(run).is_final:
        for each in lister.by_index(RUNS_BY_PIPELINE, next(_of_pipeline(run))):
            if Run(each).phase == keys.PENDING:
                yield meta.key(each)


class Changes:
    """Wakes who waits for a run to change."""

    def __init__(self) -> None:
        self._waiting: dict[Key, set[asyncio.Event]] = {}

    def tell(self, before: Object | None, after: Object | None) -> None:
        """A run changed; the callback of a cache."""
        for event in self._waiting.get(meta.key(after or before or {}), ()):
            event.set()

    @contextlib.contextmanager
    def of(self, run: Key) -> Iterator[asyncio.Event]:
        """Give what is set whenever a run changes."""
        event = asyncio.Event()
        self._waiting.setdefault(run, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[run].discard(event)
            if not self._waiting[run]:
                del self._waiting[run]


@dataclass(frozen=True, slots=True)
class Control:
    """The controllers of one process."""

    manager: Manager
    settings: Settings
    token: Callable[[Object], str]
    """What the worker of a run shows."""
    changes: Changes
    clock: Clock = wall_clock

    def add(self) -> None:
        """Wire everything; before the manager runs."""
        for index in (RUNS_BY_PIPELINE, PODS_BY_RUN, TRIGGERS_BY_PIPELINE):
            self.manager.add_index(index)
        self.manager.on_change(RUN_SOURCE, self.changes.tell)
        self.manager.add_controller(
            "pipelines",
            self.keep_pipeline,
            source=PIPELINE_SOURCE,
            watches=(
                Watch(RUN_SOURCE, label_key(keys.PIPELINE_LABEL), hold=lambda _key: _STATUS_DELAY),
                Watch(TRIGGER_SOURCE, owner_key(keys.PIPELINES)),
            ),
        )
        self.manager.add_controller(
            "pipelineruns",
            self.keep_run,
            source=RUN_SOURCE,
            watches=(Watch(POD_SOURCE, owner_key(keys.RUNS)), Watch(RUN_SOURCE, _waiting_ones)),
        )

    async def keep_pipeline(self, key: Key) -> float | None:
        """Have a Pipeline's Triggers and status be as its script says."""
        pipeline = self.manager.get(PIPELINE_SOURCE, *key)
        if pipeline is None:
            return None
        where = meta.key_text(key)
        seen = keeping.Seen(
            pipeline,
            await self.script_of(pipeline),
            self.manager.by_index(TRIGGERS_BY_PIPELINE, where),
            self.manager.by_index(RUNS_BY_PIPELINE, where),
        )
        plan = keeping.reconcile(seen, url=self.settings.url, now=self.clock())
        with _gone():
            await self.manager.apply(plan)
        return _CONFIG_MAP_SECONDS if pipeline["spec"].get("script", {}).get("configMap") else None

    async def script_of(self, pipeline: Object) -> str | ScriptError:
        """Return the text of a Pipeline's script, or why there is none."""
        script = pipeline["spec"].get("script") or {}
        given = script.get("configMap")
        if not given:
            return str(script.get("inline", ""))
        name, key = str(given.get("name", "")), str(given.get("key") or "pipeline.py")
        try:
            found = await self.manager.client.get(CONFIGMAPS, name, meta.namespace(pipeline))
        except NotFound:
            return ScriptError("NoScript", f"there is no ConfigMap {name!r} with the script")
        text = (found.get("data") or {}).get(key)
        if text is None:
            return ScriptError("NoScript", f"the ConfigMap {name!r} has no key {key!r}")
        return str(text)

    async def keep_run(self, key: Key) -> float | None:
        """Take a run one step further."""
        run = self.manager.get(RUN_SOURCE, *key)
        pods = self.manager.by_index(PODS_BY_RUN, meta.key_text(key))
        if run is None:
            with _gone():
                await self.manager.apply(decide.releases(pods))
            return None
        seen = decide.Seen(
            run,
            pods,
            self.manager.by_index(RUNS_BY_PIPELINE, next(_of_pipeline(run))),
        )
        decision = decide.decide(seen, settings=self.settings, token=self.token, now=self.clock())
        with _gone():
            for obj in decision.ensured:
                await self._ensure(obj)
            try:
                await self.manager.apply(decision.plan)
            except Invalid as error:
                await self._refused(run, error)
        return decision.plan.requeue_after

    async def _ensure(self, obj: Object) -> None:
        try:
            await self.manager.client.create(_KINDS[obj["kind"]], obj)
        except AlreadyExists:
            return

    async def _refused(self, run: Object, error: Invalid) -> None:
        """A pod that no cluster takes: the run is over, and says why."""
        outcome = {"phase": keys.FAILED, "reason": "PodRefused", "message": error.message}
        await self.manager.apply(noting(run, {"outcome": outcome}))


def noting(run: Object, status: dict[str, object]) -> Plan:
    """Return the plan that adds something to the status of a run."""
    patch = Patch(
        keys.RUNS, meta.name(run), meta.namespace(run), {"status": status}, subresource="status"
    )
    return Plan((patch,))


@contextlib.contextmanager
def _gone() -> Iterator[None]:
    """What went while it was looked at is looked at again."""
    try:
        yield
    except NotFound as error:
        raise Retryable(error.message) from error

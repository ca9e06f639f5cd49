"""What is done for a Pipeline: its Triggers, its status, how many runs are kept. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object
from hearth.kube.names import dns1123_label_problems
from hearth.kube.patch import create_merge_patch
from hearth.kube.plan import Action, Delete, Patch, Plan
from hearth.pipelines.api import keys
from hearth.pipelines.reading import Handler, ScriptError, read_script
from hearth.pipelines.triggers import changes, make_triggers
from hearth.pipelines.views import PipelineSettings, Run, order

SCRIPT_VALID, TRIGGERS_READY = "ScriptValid", "TriggersReady"
CONDITIONS = ConditionSet("Ready", (SCRIPT_VALID, TRIGGERS_READY))


@dataclass(frozen=True, slots=True)
class Seen:
    """A Pipeline and what concerns it."""

    pipeline: Object
    script: str | ScriptError
    """Its text, or why there is none."""
    triggers: Sequence[Object]
    runs: Sequence[Object]


def reconcile(seen: Seen, *, url: str, now: float) -> Plan:
    """Return what follows; a script that is no use leaves the Triggers as they are."""
    pipeline = seen.pipeline
    if meta.is_deleting(pipeline):
        return Plan()
    conditions = CONDITIONS.manage((pipeline.get("status") or {}).get("conditions"), now=now)
    conditions.initialize()
    actions = list[Action](_forgotten(seen))
    handlers: Sequence[Handler] = ()
    try:
        handlers = _handlers(seen)
        conditions.mark_true(SCRIPT_VALID)
    except ScriptError as error:
        conditions.mark_false(SCRIPT_VALID, error.reason, str(error))
    else:
        wanted = {} if pipeline["spec"].get("suspended") else make_triggers(pipeline, handlers, url)
        due = changes(seen.triggers, wanted)
        actions += due
        _mark_triggers(conditions, seen.triggers, is_due=bool(due))
    return Plan((*actions, *_noted(seen, handlers, conditions)))


def _handlers(seen: Seen) -> list[Handler]:
    name = meta.name(seen.pipeline)
    if len(name) > keys.NAME_LENGTH or dns1123_label_problems(name):
        raise ScriptError(
            "InvalidName",
            f"a pipeline's name is a DNS label of at most {keys.NAME_LENGTH} letters, since names "
            "of pods are made of it",
        )
    if isinstance(seen.script, ScriptError):
        raise seen.script
    return read_script(seen.script)


def _mark_triggers(
    conditions: ConditionManager, triggers: Sequence[Object], *, is_due: bool
) -> None:
    not_ready = [each for each in triggers if not Conditions.of(each).is_true("Ready")]
    if is_due or not_ready:
        ready = Conditions.of(not_ready[0] if not_ready else None)
        reason = ready.reason("Ready") or "TriggersNotReady"
        words = ready.message("Ready") or "its Triggers are being made"
        mark = conditions.mark_false if ready.is_false("Ready") else conditions.mark_unknown
        mark(TRIGGERS_READY, reason, words)
    else:
        conditions.mark_true(TRIGGERS_READY)


def _forgotten(seen: Seen) -> list[Delete]:
    """Runs that are over and one too many, the oldest."""
    finished = sorted((run for run in seen.runs if Run(run).is_final), key=order)
    many = len(finished) - PipelineSettings(seen.pipeline["spec"]).history
    return [
        Delete(keys.RUNS, meta.namespace(run), meta.name(run), uid=meta.uid(run))
        for run in finished[: max(many, 0)]
    ]


def _noted(seen: Seen, handlers: Sequence[Handler], conditions: ConditionManager) -> list[Patch]:
    stored = seen.pipeline.get("status") or {}
    newest = max(seen.runs, key=order, default=None)
    wanted = {
        **stored,
        "conditions": conditions.list(),
        "observedGeneration": meta.generation(seen.pipeline),
        "events": list(dict.fromkeys(each.pattern for each in handlers)),
        "active": sum(not Run(run).is_final for run in seen.runs),
        "lastRun": meta.name(newest) if newest else "",
        "lastPhase": Run(newest).phase if newest else "",
    }
    patch = create_merge_patch(stored, wanted)
    if not patch:
        return []
    where = meta.name(seen.pipeline), meta.namespace(seen.pipeline)
    return [Patch(keys.PIPELINES, *where, {"status": patch}, subresource="status")]

"""Configuration: one Revision per generation, and which of them is the latest ready. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hearth.knative.conditions import ConditionSet
from hearth.knative.resources import CONFIGURATIONS, REVISIONS
from hearth.kube.meta import Object, generation, is_controlled_by, is_deleting, labels, name
from hearth.kube.plan import Action, Create, Event, Plan
from serving.api import keys
from serving.kinds.configuration.children import make_revision, template_name
from serving.kinds.status import Draft
from serving.routing.targets import ready_status

CONDITIONS = ConditionSet(keys.READY)


@dataclass(frozen=True, slots=True)
class Observed:
    configuration: Object
    revisions: tuple[Object, ...] = ()
    """All that carry the configuration's label."""
    named_revision: Object | None = None
    """The revision that bears the name the template asks for, whoever owns it."""


def reconcile(observed: Observed, *, now: float) -> Plan:
    configuration = observed.configuration
    if is_deleting(configuration):
        return Plan()
    draft = Draft(configuration, CONDITIONS, now=now)
    if _is_name_taken(configuration, observed.named_revision):
        message = f'revisions.serving.knative.dev "{template_name(configuration)}" already exists'
        _mark_creation_failed(draft, message)
        return Plan(draft.writes(CONFIGURATIONS))
    latest = _latest_created(configuration, observed)
    if latest is None:
        revision = make_revision(configuration, now=now)
        return _created(configuration, revision, draft=draft)
    events = _judge(configuration, latest, observed=observed, draft=draft)
    return Plan((*events, *draft.writes(CONFIGURATIONS)))


def creation_failed(observed: Observed, error: str, *, now: float) -> Plan:
    """What to do after the server refused the Revision."""
    configuration = observed.configuration
    draft = Draft(configuration, CONDITIONS, now=now)
    _mark_creation_failed(draft, error)
    writes = draft.writes(CONFIGURATIONS)
    message = f"Failed to create Revision: {error}"
    event = Event(configuration, "Warning", "CreationFailed", message)
    return Plan((event, *writes) if writes else ())


def _mark_creation_failed(draft: Draft, error: str) -> None:
    message = f"Revision creation failed with message: {error}."
    draft.conditions.mark_false(keys.READY, "RevisionFailed", message)


def _created(configuration: Object, revision: Object, *, draft: Draft) -> Plan:
    draft.put("latestCreatedRevisionName", name(revision))
    draft.conditions.mark_unknown(keys.READY)
    message = f'Created Revision "{name(revision)}"'
    event = Event(configuration, "Normal", "Created", message)
    return Plan((Create(REVISIONS, revision),), then=(event, *draft.writes(CONFIGURATIONS)))


def _latest_created(configuration: Object, observed: Observed) -> Object | None:
    if template_name(configuration):
        return observed.named_revision
    wanted = str(generation(configuration))
    return next((r for r in observed.revisions if _generation_label(r) == wanted), None)


def _is_name_taken(configuration: Object, named: Object | None) -> bool:
    if not template_name(configuration) or named is None:
        return False
    if not is_controlled_by(named, configuration):
        return True
    if _generation_label(named) == str(generation(configuration)):
        return False
    return bool(configuration["spec"]["template"].get("spec") != named.get("spec"))


def _judge(
    configuration: Object, latest: Object, *, observed: Observed, draft: Draft
) -> tuple[Action, ...]:
    was = str(draft.fields.get("latestReadyRevisionName") or "")
    ready = _latest_ready(configuration, observed, was=was) or was
    draft.put("latestCreatedRevisionName", name(latest))
    draft.put("latestReadyRevisionName", ready)
    condition = _ready_condition(latest)
    if ready == name(latest) and condition.get("status") != "False":
        draft.conditions.mark_true(keys.READY)
    elif condition.get("status") == "False":
        message = f'Revision "{name(latest)}" failed with message: {condition.get("message", "")}.'
        draft.conditions.mark_false(keys.READY, "RevisionFailed", message)
    else:
        draft.conditions.mark_unknown(keys.READY)
    return _events(configuration, latest, was=was, ready=ready, draft=draft)


def _events(
    configuration: Object, latest: Object, *, was: str, ready: str, draft: Draft
) -> tuple[Action, ...]:
    events: list[Action] = []
    if ready != was:
        if not was:
            message = "Configuration becomes ready"
            events.append(Event(configuration, "Normal", "ConfigurationReady", message))
        message = f'LatestReadyRevisionName updated to "{ready}"'
        events.append(Event(configuration, "Normal", "LatestReadyUpdate", message))
    if draft.became(keys.READY, "False"):
        kind = "ready" if name(latest) == was else "created"
        message = f'Latest {kind} revision "{name(latest)}" has failed'
        reason = f"Latest{kind.capitalize()}Failed"
        events.append(Event(configuration, "Warning", reason, message))
    return tuple(events)


def _latest_ready(configuration: Object, observed: Observed, *, was: str) -> str | None:
    """The newest ready revision, no older than the one that was ready before."""
    chosen = template_name(configuration)
    known = {name(r): r for r in observed.revisions}
    oldest = _generation_number(known[was]) if was in known else 0
    candidates = [
        r
        for r in observed.revisions
        if name(r) == chosen or oldest <= _generation_number(r) <= generation(configuration)
    ]
    candidates.sort(key=lambda r: (name(r) == chosen, _generation_number(r)), reverse=True)
    return next((name(r) for r in candidates if ready_status(r) == "True"), None)


def _ready_condition(revision: Object) -> dict[str, Any]:
    conditions = (revision.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == keys.READY), {})


def _generation_label(revision: Object) -> str:
    return labels(revision).get(keys.CONFIGURATION_GENERATION, "")


def _generation_number(revision: Object) -> int:
    text = _generation_label(revision)
    return int(text) if text.isascii() and text.isdigit() else 0

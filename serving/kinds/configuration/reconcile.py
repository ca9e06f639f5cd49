"""Configuration: one Revision per generation, and which of them is the latest ready. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hearth.knative.conditions import ConditionSet
from hearth.knative.resources import CONFIGURATIONS, REVISIONS
from hearth.kube.meta import Object, generation, is_controlled_by, is_deleting, name
from hearth.kube.plan import Action, Create, Event, Plan
from serving.api import keys, views
from serving.kinds.configuration.children import make_revision
from serving.kinds.status import Draft

CONDITIONS = ConditionSet(keys.READY)


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one Configuration."""

    configuration: Object
    revisions: tuple[Object, ...] = ()
    """All that carry the configuration's label."""
    named_revision: Object | None = None
    """The revision that bears the name the template asks for, whoever owns it."""


def reconcile(observed: Observed, *, now: float) -> Plan:
    """Make the Revision of the present generation, and tell which one is the latest ready."""
    configuration = observed.configuration
    if is_deleting(configuration):
        return Plan()
    draft = Draft(configuration, CONDITIONS, now=now)
    if _is_name_taken(configuration, observed.named_revision):
        message = f'revisions.serving.knative.dev "{_chosen(configuration)}" already exists'
        _mark_creation_failed(draft, message)
        return Plan(draft.writes(CONFIGURATIONS))
    latest = _latest_created(configuration, observed)
    if latest is None:
        return _create(configuration, make_revision(configuration, now=now))
    events = _judge(configuration, latest, observed=observed, draft=draft)
    return Plan((*events, *draft.writes(CONFIGURATIONS, is_foretold=True)))


def creation_failed(observed: Observed, error: str, *, now: float) -> Plan:
    """Return what to do after the server refused the Revision."""
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


def _create(configuration: Object, revision: Object) -> Plan:
    """Make the Revision; once it is there the status tells of it."""
    message = f'Created Revision "{name(revision)}"'
    event = Event(configuration, "Normal", "Created", message)
    return Plan((Create(REVISIONS, revision), event))


def _latest_created(configuration: Object, observed: Observed) -> Object | None:
    if _chosen(configuration):
        return observed.named_revision
    current = str(generation(configuration))
    return next(
        (
            revision
            for revision in observed.revisions
            if views.Revision(revision).configuration_generation == current
        ),
        None,
    )


def _is_name_taken(configuration: Object, named: Object | None) -> bool:
    if not _chosen(configuration) or named is None:
        return False
    if not is_controlled_by(named, configuration):
        return True
    if views.Revision(named).configuration_generation == str(generation(configuration)):
        return False
    return bool(views.Configuration(configuration).template_spec != named.get("spec"))


def _chosen(configuration: Object) -> str:
    """Return the name that the user chose for the revision; "" leaves it to us."""
    return views.Configuration(configuration).template_name


def _judge(
    configuration: Object, latest: Object, *, observed: Observed, draft: Draft
) -> tuple[Action, ...]:
    was = str(draft.fields.get("latestReadyRevisionName") or "")
    ready = _latest_ready(configuration, observed, was=was) or was
    draft.put("latestCreatedRevisionName", name(latest))
    draft.put("latestReadyRevisionName", ready)
    conditions = views.Revision(latest).conditions
    if ready == name(latest) and not conditions.is_false(keys.READY):
        draft.conditions.mark_true(keys.READY)
    elif conditions.is_false(keys.READY):
        said = conditions.message(keys.READY)
        message = f'Revision "{name(latest)}" failed with message: {said}.'
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
    """Return the newest ready revision, no older than the one that was ready before."""
    chosen = _chosen(configuration)
    known = {name(r): r for r in observed.revisions}
    oldest = _generation_number(known[was]) if was in known else 0
    candidates = [
        r
        for r in observed.revisions
        if name(r) == chosen or oldest <= _generation_number(r) <= generation(configuration)
    ]
    candidates.sort(key=lambda r: (name(r) == chosen, _generation_number(r)), reverse=True)
    return next((name(r) for r in candidates if views.Revision(r).ready_status == "True"), None)


def _generation_number(revision: Object) -> int:
    text = views.Revision(revision).configuration_generation
    return int(text) if text.isascii() and text.isdigit() else 0

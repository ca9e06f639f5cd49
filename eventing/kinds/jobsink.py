"""JobSink: its address, and where events go whose Jobs fail. ``reconcile`` is pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.sinkviews import JOBSINK_SOURCE
from eventing.api.views import spec_of
from eventing.kinds.policies import policies_of, policies_watch
from eventing.kinds.references import References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import going_by, mark_policies, mark_served, status_updates
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Resolution, Resolved, Unresolved
from hearth.knative.resources import JOBSINKS
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister
from hearth.kube.meta import Key, Object, name
from hearth.kube.plan import Plan

CONDITIONS = ConditionSet(keys.READY, (keys.ADDRESSABLE, keys.EVENT_POLICIES_READY))
NAME = "jobsink"


@dataclass(frozen=True, slots=True)
class Observed:
    """The JobSink, and what it refers to."""

    sink: Object
    dead_letter_sink: Resolution | None = None
    policies: Sequence[Object] = ()
    """The EventPolicies about it."""
    look_again: float | None = None
    """Seconds after which something may be there that was not."""


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read a JobSink and resolve the dead letter sink of its annotation."""
    lookup = references.lookup(Referrer(NAME, key))
    sink = lister.get(JOBSINK_SOURCE, *key)
    if sink is None or meta.is_deleting(sink):
        return None
    given = meta.annotations(sink).get(keys.DEAD_LETTER_SINK_ANNOTATION)
    resolution = lookup.resolve(json.loads(given), key[0]) if given else None
    policies = policies_of(lister, JOBSINKS, sink)
    return Observed(sink, resolution, policies, lookup.look_again)


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Tell where events are sent to."""
    decide = going_by(_decide, observed, settings)
    updates = status_updates(JOBSINKS, observed.sink, CONDITIONS, decide, now=now)
    return Plan(updates, requeue_after=observed.look_again)


def _decide(
    observed: Observed,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    sink = observed.sink
    if spec_of(sink).get("job"):
        status["job"] = {"selector": f"sinks.knative.dev/job-sink-name={name(sink)}"}
    _mark_dead_letter_sink(observed.dead_letter_sink, status, conditions)
    mark_policies(observed.policies, status, conditions, settings)
    mark_served(JOBSINKS, sink, status, conditions, settings)


def _mark_dead_letter_sink(
    sink: Resolution | None, status: dict[str, Any], conditions: ConditionManager
) -> None:
    """The JobSink works without it as well, so that its being ready does not depend on it."""
    marks = status.setdefault("annotations", {})
    marks.pop(keys.DEAD_LETTER_SINK_ANNOTATION, None)
    match sink:
        case None:
            conditions.clear(keys.DEAD_LETTER_SINK_RESOLVED)
        case Resolved(url=url):
            marks[keys.DEAD_LETTER_SINK_ANNOTATION] = url
            conditions.mark_true(keys.DEAD_LETTER_SINK_RESOLVED)
        case Unresolved(message=message):
            reason = "Unable to get the dead letter sink's URI"
            conditions.mark_false(keys.DEAD_LETTER_SINK_RESOLVED, reason, message)
    if not marks:
        del status["annotations"]


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps the status of JobSinks."""
    return ControllerSpec(
        NAME,
        JOBSINK_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(policies_watch(JOBSINK_SOURCE),),
    )

"""Broker: its address, and whether events can be sent to it. ``reconcile`` is pure.

The broker process says in an annotation of the status that it takes events; the conditions are
derived from that here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.views import BROKER_SOURCE, spec_of, status_annotation
from eventing.kinds.policies import policies_of, policies_watch
from eventing.kinds.references import Lookup, References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import (
    going_by,
    mark_address,
    mark_dead_letter_sink,
    mark_policies,
    status_updates,
)
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Reference, Resolution, Unresolved
from hearth.knative.resources import BROKERS
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Plan

CONDITIONS = ConditionSet(
    keys.READY,
    (
        keys.INGRESS_READY,
        keys.TRIGGER_CHANNEL_READY,
        keys.FILTER_READY,
        keys.ADDRESSABLE,
        keys.EVENT_POLICIES_READY,
    ),
)
NAME = "broker"
UNRESOLVED_SINK = "Unable to get the dead letter sink's URI"


@dataclass(frozen=True, slots=True)
class Observed:
    """The Broker and what its spec refers to."""

    broker: Object
    missing_config: str | None
    """The name of the ConfigMap it refers to, when there is none."""
    dead_letter_sink: Resolution | None
    """None when none is configured."""
    policies: Sequence[Object] = ()
    """The EventPolicies about it."""
    look_again: float | None = None
    """Seconds after which something may be there that was not."""


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read a Broker and follow what it refers to."""
    lookup = references.lookup(Referrer(NAME, key))
    broker = lister.get(BROKER_SOURCE, *key)
    if broker is None or meta.is_deleting(broker):
        return None
    spec = spec_of(broker)
    sink = (spec.get("delivery") or {}).get("deadLetterSink")
    missing_config = _missing_config(spec.get("config"), key[0], lookup)
    resolution = lookup.resolve(sink, key[0]) if sink else None
    policies = policies_of(lister, BROKERS, broker)
    return Observed(broker, missing_config, resolution, policies, lookup.look_again)


def _missing_config(config: dict[str, Any] | None, namespace: str, lookup: Lookup) -> str | None:
    if not config or config.get("kind") != "ConfigMap":
        return None
    reference = Reference(
        "v1", "ConfigMap", config.get("namespace") or namespace, config.get("name", "")
    )
    return reference.name if lookup.get(reference) is None else None


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Return the status the Broker should have; nothing to do when it has it."""
    broker = observed.broker
    if not settings.serves(broker):
        return Plan()

    decide = going_by(_decide, observed, settings)
    updates = status_updates(BROKERS, broker, CONDITIONS, decide, now=now)
    return Plan(updates, requeue_after=observed.look_again)


def _decide(
    observed: Observed,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    if observed.missing_config is not None:
        conditions.mark_false(
            keys.TRIGGER_CHANNEL_READY,
            "ChannelTemplateFailed",
            "Error on setting up the ChannelTemplate: "
            f'configmap "{observed.missing_config}" not found',
        )
        return
    mark_dead_letter_sink(observed.dead_letter_sink, status, conditions, reason=UNRESOLVED_SINK)
    if isinstance(observed.dead_letter_sink, Unresolved):
        # Knative's channel does not get ready without its dead letter sink; nor does our log.
        conditions.mark_false(
            keys.TRIGGER_CHANNEL_READY, UNRESOLVED_SINK, observed.dead_letter_sink.message
        )
        return
    _mark_data_plane(status, conditions)
    broker = observed.broker
    path = f"/{meta.namespace(broker)}/{meta.name(broker)}"
    url = f"{settings.ingress_of(broker)}{path}"
    mark_address(BROKERS, broker, status, conditions, settings, path=path, url=url)
    mark_policies(observed.policies, status, conditions, settings)


def _mark_data_plane(status: dict[str, Any], conditions: ConditionManager) -> None:
    """Mark what the broker process says: that it takes events for this Broker."""
    opened = status_annotation({"status": status}, keys.OPENED_ANNOTATION)
    problem = status_annotation({"status": status}, keys.PROBLEM_ANNOTATION)
    for kind in (keys.TRIGGER_CHANNEL_READY, keys.FILTER_READY, keys.INGRESS_READY):
        if problem:
            reason = "LogFails" if opened else "LogNotOpen"
            conditions.mark_false(kind, reason, problem)
        elif opened:
            conditions.mark_true(kind)
        else:
            conditions.mark_unknown(
                kind, "LogNotOpen", "The event log of this Broker has not been opened yet."
            )


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps the status of Brokers."""
    return ControllerSpec(
        NAME,
        BROKER_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(policies_watch(BROKER_SOURCE),),
    )

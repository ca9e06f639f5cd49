"""Broker: its address, and whether events can be sent to it. ``reconcile`` is pure."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from eventing.api import keys
from hearth.knative.conditions import Conditions, ConditionSet
from hearth.knative.destinations import Resolution, Resolved, Unresolved
from hearth.knative.resources import BROKERS
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.plan import Plan, UpdateStatus

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
UNRESOLVED_SINK = "Unable to get the dead letter sink's URI"


@dataclass(frozen=True, slots=True)
class Observed:
    """The Broker, what its spec refers to, and where the ingress listens."""

    broker: Object
    missing_config: str | None
    """The name of the ConfigMap it refers to, when there is none."""
    dead_letter_sink: Resolution | None
    """None when none is configured."""
    ingress_url: str


def is_ours(broker: Object) -> bool:
    return meta.annotations(broker).get(keys.BROKER_CLASS_ANNOTATION) == keys.BROKER_CLASS


def reconcile(observed: Observed, *, now: float) -> Plan:
    """The status the Broker should have; nothing to do when it has it."""
    broker = observed.broker
    old: dict[str, Any] = broker.get("status") or {}
    status = copy.deepcopy(old)
    conditions = CONDITIONS.manage(status.get("conditions"), now=now)
    conditions.initialize()
    _decide(observed, status, conditions)
    status["conditions"] = conditions.list()
    status["observedGeneration"] = meta.generation(broker)
    if status == old:
        return Plan()
    return Plan((UpdateStatus(BROKERS, {**broker, "status": status}),))


def _decide(observed: Observed, status: dict[str, Any], conditions: Conditions) -> None:
    if observed.missing_config is not None:
        conditions.mark_false(
            keys.TRIGGER_CHANNEL_READY,
            "ChannelTemplateFailed",
            "Error on setting up the ChannelTemplate: "
            f'configmap "{observed.missing_config}" not found',
        )
        return
    _mark_dead_letter_sink(observed.dead_letter_sink, status, conditions)
    if isinstance(observed.dead_letter_sink, Unresolved):
        # Knative's channel does not get ready without its dead letter sink; nor does our log.
        conditions.mark_false(
            keys.TRIGGER_CHANNEL_READY, UNRESOLVED_SINK, observed.dead_letter_sink.message
        )
        return
    _mark_data_plane(status, conditions)
    status["address"] = {
        "name": "http",
        "url": f"{observed.ingress_url}/{meta.namespace(observed.broker)}"
        f"/{meta.name(observed.broker)}",
    }
    conditions.mark_true(keys.ADDRESSABLE)
    conditions.mark_true(
        keys.EVENT_POLICIES_READY,
        "OIDCDisabled",
        'Feature "authentication-oidc" must be enabled to support Authorization',
    )


def _mark_data_plane(status: dict[str, Any], conditions: Conditions) -> None:
    """The broker process says in an annotation that it takes events for this Broker."""
    opened = (status.get("annotations") or {}).get(keys.OPENED_ANNOTATION)
    for kind in (keys.TRIGGER_CHANNEL_READY, keys.FILTER_READY, keys.INGRESS_READY):
        if opened:
            conditions.mark_true(kind)
        else:
            conditions.mark_unknown(
                kind, "LogNotOpen", "The event log of this Broker has not been opened yet."
            )


def _mark_dead_letter_sink(
    sink: Resolution | None, status: dict[str, Any], conditions: Conditions
) -> None:
    for field in ("deadLetterSinkUri", "deadLetterSinkCACerts", "deadLetterSinkAudience"):
        status.pop(field, None)
    match sink:
        case None:
            conditions.mark_true(
                keys.DEAD_LETTER_SINK_RESOLVED,
                "DeadLetterSinkNotConfigured",
                "No dead letter sink is configured.",
            )
        case Resolved():
            status |= delivery_status(sink)
            conditions.mark_true(keys.DEAD_LETTER_SINK_RESOLVED)
        case Unresolved(message=message):
            conditions.mark_false(keys.DEAD_LETTER_SINK_RESOLVED, UNRESOLVED_SINK, message)


def delivery_status(sink: Resolved) -> dict[str, str]:
    """The status fields of a resolved dead letter sink."""
    found = {
        "deadLetterSinkUri": sink.url,
        "deadLetterSinkCACerts": sink.ca_certs,
        "deadLetterSinkAudience": sink.audience,
    }
    return {field: value for field, value in found.items() if value}

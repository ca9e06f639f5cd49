"""Channel: the channel of another kind that does its work. ``reconcile`` is pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.channelviews import CHANNEL_SOURCE
from eventing.api.deliveryoptions import given_options
from eventing.api.views import spec_of, status_of
from eventing.kinds.children import handed_on, is_of_ours, made_channel
from eventing.kinds.policies import (
    ensured_policies,
    inherited,
    labelled,
    policies_of,
    policies_watch,
)
from eventing.kinds.references import References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import SINK_FIELDS, going_by, mark_policies, status_updates
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Reference, Unresolved
from hearth.knative.names import child_name
from hearth.knative.resources import CHANNELS
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.controllerspec import ControllerSpec, Lister
from hearth.kube.meta import Key, Object, name, namespace
from hearth.kube.plan import Action, Create, Plan

CONDITIONS = ConditionSet(
    keys.READY,
    (
        keys.BACKING_CHANNEL_READY,
        keys.ADDRESSABLE,
        keys.DEAD_LETTER_SINK_RESOLVED,
        keys.EVENT_POLICIES_READY,
    ),
)
NAME = "channel"
_FAILED = "problem reconciling the backing channel: "


@dataclass(frozen=True, slots=True)
class Observed:
    """The Channel and the one that does its work."""

    channel: Object
    backing: Object | Unresolved | None
    policies: Sequence[Object] = ()
    """The EventPolicies about it."""
    handed_on: Sequence[Object] = ()
    """Those made for the channel that does the work."""
    look_again: float | None = None
    """Seconds after which its kind may be there that was not."""


def backing_reference(channel: Object) -> Reference:
    """Return what does a Channel's work: a channel of the template's kind and the same name."""
    template = spec_of(channel).get("channelTemplate") or {}
    return Reference(
        template.get("apiVersion", ""), template.get("kind", ""), namespace(channel), name(channel)
    )


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read a Channel and follow the one behind it."""
    lookup = references.lookup(Referrer(NAME, key))
    channel = lister.get(CHANNEL_SOURCE, *key)
    if channel is None or meta.is_deleting(channel):
        return None
    backing = lookup.get(backing_reference(channel))
    return Observed(
        channel,
        backing,
        policies_of(lister, CHANNELS, channel),
        labelled(lister, key[0], _policy_labels(channel)),
        lookup.look_again,
    )


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Make the channel that does the work, and tell of it."""
    channel = observed.channel

    decide = going_by(_decide, observed, settings)
    updates = status_updates(CHANNELS, channel, CONDITIONS, decide, now=now)
    resource, backing = backing_reference(channel).resource, observed.backing
    made: tuple[Action, ...] = ()
    if backing is None:
        made = (Create(resource, make_backing(channel)),)
    elif not isinstance(backing, Unresolved):
        if is_of_ours(backing):
            made = handed_on(resource, backing, given_options(meta.annotations(channel)))
        made += _hand_on(observed, backing, settings)
    return Plan(made, then=updates, requeue_after=observed.look_again)


def _policy_labels(channel: Object) -> dict[str, str]:
    backing = backing_reference(channel)
    parts = {
        "group": backing.resource.group,
        "version": backing.resource.version,
        "kind": backing.kind,
        "name": backing.name,
    }
    return {f"messaging.knative.dev/channel-{part}": value for part, value in parts.items()}


def _hand_on(observed: Observed, backing: Object, settings: ControlSettings) -> tuple[Action, ...]:
    """Who may send to the Channel may send to what does its work: events are sent there."""
    if not settings.authenticates:
        return ()
    to = {"apiVersion": backing["apiVersion"], "kind": backing["kind"], "name": name(backing)}
    labels = _policy_labels(observed.channel)
    wanted = [
        inherited(each, child_name(f"{name(each)}-", name(backing)), to, labels, backing, each)
        for each in observed.policies
    ]
    return ensured_policies(wanted, observed.handed_on)


def make_backing(channel: Object) -> Object:
    """Return the channel that does the work."""
    spec = spec_of(channel)
    template = spec.get("channelTemplate") or {}
    delivery = {"delivery": spec["delivery"]} if spec.get("delivery") else {}
    return made_channel(
        channel, template, name(channel), {**(template.get("spec") or {}), **delivery}
    )


def _decide(
    observed: Observed,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> None:
    backing = observed.backing
    if isinstance(backing, Unresolved):
        text = f"{_FAILED}{backing.message}"
        conditions.mark_false(keys.BACKING_CHANNEL_READY, "ChannelFailure", text)
        return
    reference = backing_reference(observed.channel)
    status["channel"] = {
        "apiVersion": reference.api_version,
        "kind": reference.kind,
        "name": reference.name,
        "namespace": reference.namespace,
    }
    _take_over(backing or {}, status, conditions)
    _mark_dead_letter_sink(observed.channel, backing or {}, status, conditions)
    mark_policies(observed.policies, status, conditions, settings)


def _take_over(backing: Object, status: dict[str, Any], conditions: ConditionManager) -> None:
    """Readiness, address and subscribers are those of the channel behind it."""
    ready = Conditions.of(backing).get(keys.READY)
    if ready is None:
        conditions.mark_unknown(
            keys.BACKING_CHANNEL_READY,
            "BackingChannelNotConfigured",
            "BackingChannel has not yet been reconciled.",
        )
    elif ready["status"] == "True":
        conditions.mark_true(keys.BACKING_CHANNEL_READY)
    else:
        conditions.propagate(keys.BACKING_CHANNEL_READY, ready)
    for field in ("address", "addresses", "subscribers"):
        status.pop(field, None)
        if status_of(backing).get(field):
            status[field] = status_of(backing)[field]
    if (status.get("address") or {}).get("url"):
        conditions.mark_true(keys.ADDRESSABLE)
    else:
        conditions.mark_false(keys.ADDRESSABLE, "EmptyHostname", "hostname is the empty string")


def _mark_dead_letter_sink(
    channel: Object, backing: Object, status: dict[str, Any], conditions: ConditionManager
) -> None:
    for field in SINK_FIELDS:
        status.pop(field, None)
    if not (spec_of(channel).get("delivery") or {}).get("deadLetterSink"):
        conditions.mark_true(
            keys.DEAD_LETTER_SINK_RESOLVED,
            "DeadLetterSinkNotConfigured",
            "No dead letter sink is configured.",
        )
        return
    found = {field: value for field, value in status_of(backing).items() if field in SINK_FIELDS}
    if found:
        status |= found
        conditions.mark_true(keys.DEAD_LETTER_SINK_RESOLVED)
    else:
        conditions.mark_false(
            keys.DEAD_LETTER_SINK_RESOLVED,
            f"Backing Channel {name(channel)} didn't set status.deadLetterSinkURI",
        )


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps Channels."""
    return ControllerSpec(
        NAME,
        CHANNEL_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(policies_watch(CHANNEL_SOURCE),),
    )

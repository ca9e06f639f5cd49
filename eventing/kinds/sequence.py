"""Sequence: a channel before each step, whose replies go into the next. ``reconcile`` is pure."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

from eventing.api import keys
from eventing.api.channelviews import SUBSCRIPTION_SOURCE
from eventing.api.views import spec_of, status_of
from eventing.kinds.children import with_delivery
from eventing.kinds.flowparts import (
    CHANNELS_READY,
    FLOW_CONDITIONS,
    NOT_READY,
    SUBSCRIPTIONS_READY,
    ObservedFlow,
    Parts,
    address_of,
    channel_ref,
    flow_plan,
    is_ready,
    made_subscription,
    mark_accounts,
    ready_of,
    subscription_state,
)
from eventing.kinds.policies import (
    between,
    ensured_policies,
    inherited,
    labelled,
    policies_of,
    policies_watch,
)
from eventing.kinds.references import References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import mark_policies, status_updates
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.names import child_name
from hearth.knative.resources import SEQUENCES
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch, owner_key
from hearth.kube.meta import Key, Object, name, namespace
from hearth.kube.plan import Action, Plan

CONDITIONS = ConditionSet(keys.READY, FLOW_CONDITIONS)
NAME = "sequence"
SEQUENCE_SOURCE = Source(SEQUENCES)
_DESTINATION = ("ref", "uri", "CACerts", "audience")


def observe(references: References, lister: Lister, key: Key) -> ObservedFlow | None:
    """Read a Sequence and its parts."""
    lookup = references.lookup(Referrer(NAME, key))
    sequence = lister.get(SEQUENCE_SOURCE, *key)
    if sequence is None or meta.is_deleting(sequence):
        return None
    # As many as there are steps now, or were when the status was written.
    told = len(status_of(sequence).get("channelStatuses") or ())
    names = [_part(sequence, number) for number in range(max(told, len(_steps(sequence))))]
    parts = Parts.of(sequence, lookup, lister, channels=names, subscriptions=names)
    return ObservedFlow(
        sequence,
        parts,
        lookup.look_again,
        policies=policies_of(lister, SEQUENCES, sequence),
        handed_on=labelled(lister, key[0], _policy_labels(sequence)),
    )


def _steps(sequence: Object) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = spec_of(sequence).get("steps") or []
    return steps


def _part(sequence: Object, number: int) -> str:
    return f"{name(sequence)}-kn-sequence-{number}"


def reconcile(observed: ObservedFlow, /, *, settings: ControlSettings, now: float) -> Plan:
    """Make the parts, and tell how they are."""
    sequence, parts = observed.flow, observed.parts
    names = [_part(sequence, number) for number in range(len(_steps(sequence)))]
    subscriptions = [_subscription(sequence, number) for number in range(len(names))]

    def decide(status: dict[str, Any], conditions: ConditionManager) -> None:
        _mark_channels(sequence, parts, names, status, conditions)
        _mark_subscriptions(parts, subscriptions, status, conditions)
        mark_accounts(parts, subscriptions, status)
        mark_policies(observed.policies, status, conditions, settings)

    updates = status_updates(SEQUENCES, sequence, CONDITIONS, decide, now=now)
    policies = _policies(observed, names) if settings.authenticates else ()
    return flow_plan(
        observed, updates, channels=names, subscriptions=subscriptions, policies=policies
    )


def _policy_labels(sequence: Object) -> dict[str, str]:
    return {"flows.knative.dev/sequence-name": name(sequence)}


def _policies(observed: ObservedFlow, names: list[str]) -> tuple[Action, ...]:
    """Each channel takes events from the step before it; the first from whom the Sequence does."""
    sequence, labels = observed.flow, _policy_labels(observed.flow)
    wanted = [
        between(
            sequence,
            child_name(name(sequence), f"-{channel}"),
            channel_ref(sequence, channel),
            labels,
            before,
        )
        for before, channel in pairwise(names)
    ]
    for each in observed.policies:
        title = child_name(name(sequence), f"-{name(each)}")
        wanted.append(inherited(each, title, channel_ref(sequence, names[0]), labels, each))
    return ensured_policies(wanted, observed.handed_on)


def _subscription(sequence: Object, number: int) -> Object:
    step, title = _steps(sequence)[number], _part(sequence, number)
    is_last = number == len(_steps(sequence)) - 1
    following = {"ref": channel_ref(sequence, _part(sequence, number + 1))}
    return made_subscription(
        sequence,
        title,
        title,
        subscriber={field: step[field] for field in _DESTINATION if field in step},
        reply=spec_of(sequence).get("reply") if is_last else following,
        **with_delivery(step, namespace(sequence)),
    )


def _mark_channels(
    sequence: Object,
    parts: Parts,
    names: list[str],
    status: dict[str, Any],
    conditions: ConditionManager,
) -> None:
    channels = [parts.channel(each) for each in names]
    status["channelStatuses"] = [
        {"channel": channel_ref(sequence, each), "ready": ready_of(found, "Channel")}
        for each, found in zip(names, channels, strict=True)
    ]
    address = address_of(channels[0]) if channels else None
    if address is None:
        status.pop("address", None)
        conditions.mark_unknown(keys.ADDRESSABLE, "emptyAddress", "addressable is nil")
    else:
        status["address"] = {field: value for field, value in address.items() if field != "name"}
        conditions.mark_true(keys.ADDRESSABLE)
    if channels and all(map(is_ready, channels)):
        conditions.mark_true(CHANNELS_READY)
    else:
        text = parts.problem or NOT_READY.format("Channels")
        conditions.mark_unknown(CHANNELS_READY, "ChannelsNotReady", text)


def _mark_subscriptions(
    parts: Parts,
    subscriptions: list[Object],
    status: dict[str, Any],
    conditions: ConditionManager,
) -> None:
    states = [subscription_state(parts, each) for each in subscriptions]
    status["subscriptionStatuses"] = states
    if states and all(each["ready"]["status"] == "True" for each in states):
        conditions.mark_true(SUBSCRIPTIONS_READY)
    else:
        text = NOT_READY.format("Subscriptions")
        conditions.mark_unknown(SUBSCRIPTIONS_READY, "SubscriptionsNotReady", text)


def controller(references: References) -> ControllerSpec[ObservedFlow, ControlSettings]:
    """Declare the controller that keeps Sequences."""
    return ControllerSpec(
        NAME,
        SEQUENCE_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(
            Watch(SUBSCRIPTION_SOURCE, owner_key(SEQUENCES)),
            policies_watch(SEQUENCE_SOURCE),
        ),
    )

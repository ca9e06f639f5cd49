"""Subscription: who gets the events of a channel. ``reconcile`` is pure.

The channel's own object says who its subscribers are: a Subscription writes itself there, with all
addresses resolved, and takes itself out again before it goes (a finalizer sees to that).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from eventing.api import keys
from eventing.api.channelviews import SUBSCRIPTION_SOURCE, with_subscriber_options
from eventing.api.deliveryoptions import wanted_of
from eventing.api.views import spec_of, status_of
from eventing.kinds.children import with_finalizer, without_finalizer
from eventing.kinds.identity import account_of, accounts_watch, ensured_account, mark_identity
from eventing.kinds.references import Lookup, References, Referrer
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import SINK_FIELDS, delivery_status, status_updates
from hearth.knative.conditions import ConditionManager, ConditionSet
from hearth.knative.destinations import Reference, Resolution, Resolved, Unresolved, not_found
from hearth.knative.resources import CHANNELS, SUBSCRIPTIONS
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.controllerspec import ControllerSpec, Lister
from hearth.kube.meta import Key, Object, finalizers, generation, name, uid
from hearth.kube.plan import Action, Plan, Update

CONDITIONS = ConditionSet(
    keys.READY,
    (
        keys.REFERENCES_RESOLVED,
        keys.ADDED_TO_CHANNEL,
        keys.CHANNEL_READY,
        keys.OIDC_IDENTITY_CREATED,
    ),
)
NAME = "subscription"
FINALIZER = "subscriptions.messaging.knative.dev"
_NOT_READY_BY_CHANNEL = "SubscriptionNotMarkedReadyByChannel"
_SHARED = (
    "backoffPolicy",
    "retry",
    "backoffDelay",
    "backoffMax",
    "timeout",
    "retryAfterMax",
    "format",
)


@dataclass(frozen=True, slots=True)
class FoundChannel:
    """The channel that has subscribers in its spec."""

    reference: Reference
    obj: Object


@dataclass(frozen=True, slots=True)
class Observed:
    """The Subscription and all it refers to; None where it refers to nothing."""

    subscription: Object
    channel: FoundChannel | Unresolved
    subscriber: Resolution | None = None
    reply: Resolution | None = None
    dead_letter_sink: Resolution | None = None
    account: Object | None = None
    """The service account that it sends as."""
    look_again: float | None = None
    """Seconds after which something may be there that was not."""


def observe(references: References, lister: Lister, key: Key) -> Observed | None:
    """Read a Subscription and follow what it refers to."""
    lookup = references.lookup(Referrer(NAME, key))
    subscription = lister.get(SUBSCRIPTION_SOURCE, *key)
    if subscription is None:
        return None
    spec = spec_of(subscription)
    channel, sink = spec.get("channel") or {}, (spec.get("delivery") or {}).get("deadLetterSink")
    subscriber, reply, dead_letter_sink = (
        lookup.resolve(given, key[0]) if given else None
        for given in (spec.get("subscriber"), spec.get("reply"), sink)
    )
    return Observed(
        subscription,
        _channel(channel, channel.get("namespace") or key[0], lookup),
        subscriber=subscriber,
        reply=reply,
        dead_letter_sink=dead_letter_sink,
        account=account_of(lister, SUBSCRIPTIONS, subscription),
        look_again=lookup.look_again,
    )


def _channel(given: Mapping[str, Any], namespace: str, lookup: Lookup) -> FoundChannel | Unresolved:
    """The channel itself; of a Channel, the one that does its work."""
    found = _look_up(given, namespace, lookup)
    if isinstance(found, Unresolved) or found.reference.resource != CHANNELS:
        return found
    backing = status_of(found.obj).get("channel")
    ready = Conditions.of(found.obj).is_true(keys.READY)
    if not ready or not backing:
        return Unresolved("channel is not ready.")
    return _look_up(backing, namespace, lookup)


def _look_up(given: Mapping[str, Any], namespace: str, lookup: Lookup) -> FoundChannel | Unresolved:
    reference = Reference(
        given.get("apiVersion", ""), given.get("kind", ""), namespace, given.get("name", "")
    )
    obj = lookup.get(reference)
    if obj is None:
        return Unresolved(not_found(reference))
    return obj if isinstance(obj, Unresolved) else FoundChannel(reference, obj)


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Be among the channel's subscribers, and tell what it says of that."""
    subscription = observed.subscription
    if meta.is_deleting(subscription):
        return _leave(observed)
    if FINALIZER not in finalizers(subscription):
        return Plan((with_finalizer(SUBSCRIPTIONS, subscription, FINALIZER),))
    joined: list[Action] = []

    def decide(status: dict[str, Any], conditions: ConditionManager) -> None:
        account = observed.account
        if mark_identity(SUBSCRIPTIONS, subscription, account, status, conditions, settings):
            joined.extend(_decide(observed, status, conditions))

    updates = status_updates(SUBSCRIPTIONS, subscription, CONDITIONS, decide, now=now)
    joined += ensured_account(SUBSCRIPTIONS, subscription, observed.account, settings)
    return Plan(tuple(joined), then=updates, requeue_after=observed.look_again)


def _decide(
    observed: Observed, status: dict[str, Any], conditions: ConditionManager
) -> tuple[Action, ...]:
    """In Knative's order; what comes after a failure stays as it is."""
    physical = status.setdefault("physicalSubscription", {})
    channel = observed.channel
    if isinstance(channel, Unresolved):
        text = f"Failed to get Spec.Channel or backing channel: {channel.message}"
        conditions.mark_unknown(keys.REFERENCES_RESOLVED, "ChannelReferenceFailed", text)
        return ()
    if not _mark_references(observed, channel.obj, physical, conditions):
        return ()
    conditions.mark_true(keys.REFERENCES_RESOLVED)
    conditions.mark_true(keys.ADDED_TO_CHANNEL)
    _mark_channel(observed.subscription, channel.obj, conditions)
    return _join(observed.subscription, channel, physical, status.get("auth"))


def _mark_references(
    observed: Observed, channel: Object, physical: dict[str, Any], conditions: ConditionManager
) -> bool:
    for field, reason, resolution in (
        ("subscriber", "SubscriberResolveFailed", observed.subscriber),
        ("reply", "ReplyResolveFailed", observed.reply),
    ):
        names = (f"{field}Uri", f"{field}CACerts", f"{field}Audience")
        for each in names:
            physical.pop(each, None)
        if isinstance(resolution, Unresolved):
            text = f"Failed to resolve spec.{field}: {resolution.message}"
            conditions.mark_false(keys.REFERENCES_RESOLVED, reason, text)
            return False
        if resolution is not None:
            values = (resolution.url, resolution.ca_certs, resolution.audience)
            physical |= {each: value for each, value in zip(names, values, strict=True) if value}
    problem = _find_dead_letter_sink(observed.dead_letter_sink, channel, physical)
    if problem:
        conditions.mark_false(keys.REFERENCES_RESOLVED, "DeadLetterSinkResolveFailed", problem)
    return not problem


def _find_dead_letter_sink(
    own: Resolution | None, channel: Object, physical: dict[str, Any]
) -> str:
    """The Subscription's own sink first, else the channel's; return what is wrong with it."""
    for field in SINK_FIELDS:
        physical.pop(field, None)
    if isinstance(own, Unresolved):
        return f"Failed to resolve spec.delivery.deadLetterSink: {own.message}"
    if isinstance(own, Resolved):
        physical |= delivery_status(own)
        return ""
    if not (spec_of(channel).get("delivery") or {}).get("deadLetterSink"):
        return ""
    found = {field: value for field, value in status_of(channel).items() if field in SINK_FIELDS}
    physical |= found
    return "" if found else f"channel {name(channel)} didn't set status.deadLetterSinkURI"


def _mark_channel(subscription: Object, channel: Object, conditions: ConditionManager) -> None:
    told = next(
        (
            each
            for each in status_of(channel).get("subscribers") or ()
            if each.get("uid") == uid(subscription)
            and each.get("observedGeneration", 0) == generation(subscription)
        ),
        None,
    )
    if told is None:
        text = (
            f'Failed to get subscription status: subscription "{name(subscription)}" not present '
            f'in channel "{name(channel)}" subscriber\'s list'
        )
        conditions.mark_unknown(keys.CHANNEL_READY, _NOT_READY_BY_CHANNEL, text)
        return
    state = told.get("ready", "")
    text = told.get("message") or f"Subscription marked by Channel as {state}"
    if state == "True":
        conditions.mark_true(keys.CHANNEL_READY)
    elif state == "False":
        conditions.mark_false(keys.CHANNEL_READY, _NOT_READY_BY_CHANNEL, text)
    else:
        conditions.mark_unknown(keys.CHANNEL_READY, _NOT_READY_BY_CHANNEL, text)


# -- the channel's subscribers -----------------------------------------------------------------


def _join(
    subscription: Object,
    channel: FoundChannel,
    physical: Mapping[str, Any],
    auth: Mapping[str, Any] | None,
) -> tuple[Action, ...]:
    wanted = subscriber_of(subscription, channel.obj, physical)
    if auth:
        wanted["auth"] = dict(auth)
    known: list[dict[str, Any]] = spec_of(channel.obj).get("subscribers") or []
    subscribers = [wanted if _is_of(each, subscription) else each for each in known]
    if wanted not in subscribers:
        subscribers.append(wanted)
    options = wanted_of(meta.annotations(subscription))
    return _with_subscribers(channel, subscription, subscribers, options)


def subscriber_of(
    subscription: Object, channel: Object, physical: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the Subscription as the channel has it: addresses instead of references."""
    own = spec_of(subscription).get("delivery")
    given = own if own is not None else spec_of(channel).get("delivery") or {}
    delivery = {field: given[field] for field in _SHARED if field in given}
    sink = {
        "uri": physical.get("deadLetterSinkUri"),
        "CACerts": physical.get("deadLetterSinkCACerts"),
        "audience": physical.get("deadLetterSinkAudience"),
    }
    if sink["uri"]:
        delivery["deadLetterSink"] = {field: value for field, value in sink.items() if value}
    addresses = {field: value for field, value in physical.items() if field not in SINK_FIELDS}
    return {
        "name": name(subscription),
        "uid": uid(subscription),
        "generation": generation(subscription),
        **addresses,
        **({"delivery": delivery} if delivery else {}),
    }


def _is_of(subscriber: Mapping[str, Any], subscription: Object) -> bool:
    return bool(subscriber.get("uid") == uid(subscription))


def _with_subscribers(
    channel: FoundChannel,
    subscription: Object,
    subscribers: list[dict[str, Any]],
    options: dict[str, str],
) -> tuple[Action, ...]:
    """A whole update: what others wrote meanwhile must not be lost."""
    known = spec_of(channel.obj).get("subscribers") or []
    wanted = with_subscriber_options(channel.obj, uid(subscription), options)
    if subscribers != known:
        wanted = {**wanted, "spec": {**spec_of(channel.obj), "subscribers": subscribers}}
    return () if wanted is channel.obj else (Update(channel.reference.resource, wanted),)


def _leave(observed: Observed) -> Plan:
    subscription, channel = observed.subscription, observed.channel
    if FINALIZER not in finalizers(subscription):
        return Plan()
    left: tuple[Action, ...] = ()
    if isinstance(channel, FoundChannel):
        known = spec_of(channel.obj).get("subscribers") or []
        others = [each for each in known if not _is_of(each, subscription)]
        left = _with_subscribers(channel, subscription, others, {})
    return Plan(left, then=(without_finalizer(SUBSCRIPTIONS, subscription, FINALIZER),))


def controller(references: References) -> ControllerSpec[Observed, ControlSettings]:
    """Declare the controller that keeps Subscriptions."""
    return ControllerSpec(
        NAME,
        SUBSCRIPTION_SOURCE,
        partial(observe, references),
        reconcile,
        watches=(accounts_watch(SUBSCRIPTIONS),),
    )

"""What the data plane makes of Triggers and of the subscribers of channels. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from eventing.api import keys
from eventing.api.channelviews import subscriber_options
from eventing.api.deliveryoptions import DeliveryOptions
from eventing.api.joins import JOIN_BRANCH, JOIN_MARKS, JOIN_OF, JoinBranch, JoinOptions
from eventing.api.views import spec_of, status_of
from eventing.engines.seam import Start
from eventing.filters import EVERYTHING, compile_trigger
from eventing.runtime.joins.parts import MARK
from eventing.runtime.places import BROKER, CHANNEL, Place
from eventing.runtime.policy import DeliveryPolicy
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.target import DIRECT, BadTarget, Bearer, Reach, Target, parse_target
from hearth.kube import meta
from hearth.kube.meta import Object, name, namespace, uid

JOINED = compile_trigger({"filters": [{"cesql": f"NOT EXISTS {MARK}"}]})
"""Of the channel of a join, subscribers get what was joined, not the parts."""

_NOTHING: Mapping[str, str] = {}


def is_resolved(trigger: Object) -> bool:
    """Whether its subscriber has an address."""
    return bool(status_of(trigger).get("subscriberUri"))


def subscription_spec(trigger: Object, broker: Object, reach: Reach = DIRECT) -> SubscriptionSpec:
    """Return what a Trigger asks for, with its Broker's delivery where it has none of its own.

    Raises ValueError for a filter, a delivery or a start that cannot be served.
    """
    spec, status = spec_of(trigger), status_of(trigger)
    delivery = spec.get("delivery") or spec_of(broker).get("delivery")
    options = DeliveryOptions.from_annotations(meta.annotations(broker), meta.annotations(trigger))
    who = _account(namespace(trigger), status)
    return SubscriptionSpec(
        uid=uid(trigger),
        namespace=namespace(trigger),
        name=name(trigger),
        filter=compile_trigger(spec),
        policy=DeliveryPolicy.from_spec(delivery, full_jitter=options.full_jitter),
        target=_target(status, "subscriber", reach, who),
        dead_letter=_target(status, "deadLetterSink", reach, who)
        or _target(status_of(broker), "deadLetterSink", reach, who),
        start=_start_of(meta.annotations(trigger)),
        wants={field: spec[field] for field in ("filter", "filters") if field in spec},
        options=options,
        place=Place(BROKER, namespace(broker), name(broker)),
    )


def channel_subscription(
    channel: Object,
    subscriber: Mapping[str, Any],
    reach: Reach = DIRECT,
    usual: Mapping[str, str] = _NOTHING,
) -> SubscriptionSpec:
    """Return what a subscriber of a channel asks for; replies that go nowhere are dropped.

    ``usual`` are annotations that count where neither says anything else. Raises ValueError for a
    delivery or a start that cannot be served.
    """
    delivery = subscriber.get("delivery") or spec_of(channel).get("delivery") or {}
    sink = delivery.get("deadLetterSink") or {}
    who = _account(namespace(channel), subscriber)
    own_sink = {f"deadLetterSink{field[:1].upper()}{field[1:]}": sink[field] for field in sink}
    dead_letter = _target(own_sink, "deadLetterSink", reach, who)
    reply = _target(subscriber, "reply", reach, who)
    target = _target(subscriber, "subscriber", reach, who)
    own = subscriber_options(channel).get(str(subscriber["uid"]), {})
    options = DeliveryOptions.from_annotations(usual, meta.annotations(channel), own)
    return SubscriptionSpec(
        uid=str(subscriber["uid"]),
        namespace=namespace(channel),
        name=str(subscriber.get("name") or subscriber["uid"]),
        filter=EVERYTHING if join_of(channel) is None else JOINED,
        policy=DeliveryPolicy.from_spec(delivery, full_jitter=options.full_jitter),
        target=target,
        dead_letter=dead_letter or _target(status_of(channel), "deadLetterSink", reach, who),
        reply=reply,
        start=_start_of(own),
        options=options,
        branch=_branch_of(own),
        kind="subscription",
        place=Place(CHANNEL, namespace(channel), name(channel)),
    )


def join_of(channel: Object) -> JoinOptions | None:
    """Return what a channel gathers, where it gathers anything; raise ValueError."""
    text = meta.annotations(channel).get(JOIN_OF)
    return None if text is None else JoinOptions.from_json(text)


def marks_events(channel: Object) -> bool:
    """Whether events of a channel are marked, to be known in the join of a Parallel."""
    return meta.annotations(channel).get(JOIN_MARKS) == "true"


def _branch_of(annotations: Mapping[str, str]) -> JoinBranch | None:
    text = annotations.get(JOIN_BRANCH)
    return None if text is None else JoinBranch.from_json(text)


def _start_of(annotations: Mapping[str, str]) -> Start:
    return Start(annotations.get(keys.START_ANNOTATION, Start.LATEST.value))


_Account = tuple[str, str]
"""A service account: its namespace and its name."""


def _account(where: str, given: Mapping[str, Any]) -> _Account | None:
    """Return who deliveries are made as, where they must say so."""
    title = (given.get("auth") or {}).get("serviceAccountName")
    return (where, title) if title else None


def _target(
    given: Mapping[str, Any], what: str, reach: Reach, who: _Account | None
) -> Target | None:
    """Return a destination: ``whatUri``, with what its peer must show and is shown."""
    url = given.get(f"{what}Uri")
    if not url:
        return None
    audience = given.get(f"{what}Audience")
    try:
        return replace(
            parse_target(url, reach.gateway, own=reach.own),
            ca_certs=given.get(f"{what}CACerts") or None,
            bearer=Bearer(*who, audience) if who is not None and audience else None,
        )
    except BadTarget:
        return None

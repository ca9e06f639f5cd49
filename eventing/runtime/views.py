"""What the data plane makes of Triggers and of the subscribers of channels. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventing.api import keys
from eventing.api.channelviews import subscriber_options
from eventing.api.deliveryoptions import DeliveryOptions
from eventing.api.views import spec_of, status_of
from eventing.engines.seam import Start
from eventing.filters import EVERYTHING, compile_trigger
from eventing.runtime.policy import DeliveryPolicy
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.target import Address, BadTarget, Target, parse_target
from hearth.kube import meta
from hearth.kube.meta import Object, name, namespace, uid


def is_resolved(trigger: Object) -> bool:
    """Whether its subscriber has an address."""
    return bool(status_of(trigger).get("subscriberUri"))


def subscription_spec(trigger: Object, broker: Object, gateway: Address | None) -> SubscriptionSpec:
    """Return what a Trigger asks for, with its Broker's delivery where it has none of its own.

    Raises ValueError for a filter, a delivery or a start that cannot be served.
    """
    spec, status = spec_of(trigger), status_of(trigger)
    delivery = spec.get("delivery") or spec_of(broker).get("delivery")
    options = DeliveryOptions.from_annotations(meta.annotations(broker), meta.annotations(trigger))
    return SubscriptionSpec(
        uid=uid(trigger),
        namespace=namespace(trigger),
        name=name(trigger),
        filter=compile_trigger(spec),
        policy=DeliveryPolicy.from_spec(delivery, full_jitter=options.full_jitter),
        target=_target(status.get("subscriberUri"), gateway),
        dead_letter=_target(
            status.get("deadLetterSinkUri") or status_of(broker).get("deadLetterSinkUri"), gateway
        ),
        start=Start(meta.annotations(trigger).get(keys.START_ANNOTATION, Start.LATEST.value)),
        wants={field: spec[field] for field in ("filter", "filters") if field in spec},
        options=options,
    )


def channel_subscription(
    channel: Object, subscriber: Mapping[str, Any], gateway: Address | None
) -> SubscriptionSpec:
    """Return what a subscriber of a channel asks for; replies that go nowhere are dropped.

    Raises ValueError for a delivery that cannot be served.
    """
    delivery = subscriber.get("delivery") or spec_of(channel).get("delivery") or {}
    sink = delivery.get("deadLetterSink") or {}
    dead_letter = sink.get("uri") or status_of(channel).get("deadLetterSinkUri")
    reply = _target(subscriber.get("replyUri"), gateway)
    target = _target(subscriber.get("subscriberUri"), gateway)
    own = subscriber_options(channel).get(str(subscriber["uid"]), {})
    options = DeliveryOptions.from_annotations(meta.annotations(channel), own)
    return SubscriptionSpec(
        uid=str(subscriber["uid"]),
        namespace=namespace(channel),
        name=str(subscriber.get("name") or subscriber["uid"]),
        filter=EVERYTHING,
        policy=DeliveryPolicy.from_spec(delivery, full_jitter=options.full_jitter),
        target=target,
        dead_letter=_target(dead_letter, gateway),
        reply=reply,
        options=options,
        kind="subscription",
    )


def _target(url: str | None, gateway: Address | None) -> Target | None:
    if not url:
        return None
    try:
        return parse_target(url, gateway)
    except BadTarget:
        return None

"""What the data plane makes of Broker and Trigger objects. Pure."""

from __future__ import annotations

from eventing.api.views import spec_of, status_of
from eventing.filters import compile_trigger
from eventing.runtime.policy import DeliveryPolicy
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.target import Address, BadTarget, Target, parse_target
from hearth.kube.meta import Object, name, namespace, uid


def is_resolved(trigger: Object) -> bool:
    """Whether its subscriber has an address."""
    return bool(status_of(trigger).get("subscriberUri"))


def subscription_spec(trigger: Object, broker: Object, gateway: Address | None) -> SubscriptionSpec:
    """Return what a Trigger asks for, with its Broker's delivery where it has none of its own.

    Raises ValueError for a filter or a delivery that cannot be served.
    """
    spec, status = spec_of(trigger), status_of(trigger)
    delivery = spec.get("delivery") or spec_of(broker).get("delivery")
    return SubscriptionSpec(
        uid=uid(trigger),
        namespace=namespace(trigger),
        name=name(trigger),
        filter=compile_trigger(spec),
        policy=DeliveryPolicy.from_spec(delivery),
        target=_target(status.get("subscriberUri"), gateway),
        dead_letter=_target(
            status.get("deadLetterSinkUri") or status_of(broker).get("deadLetterSinkUri"), gateway
        ),
    )


def _target(url: str | None, gateway: Address | None) -> Target | None:
    if not url:
        return None
    try:
        return parse_target(url, gateway)
    except BadTarget:
        return None

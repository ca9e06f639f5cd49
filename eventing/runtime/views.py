"""What the data plane reads off Broker and Trigger objects. Pure."""

from __future__ import annotations

from typing import Any

from eventing.api import keys
from eventing.filters import compile_trigger
from eventing.runtime.policy import DeliveryPolicy
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.target import Address, BadTarget, Target, parse_target
from hearth.kube.meta import (
    Key,
    Object,
    generation,
    is_deleting,
    name,
    namespace,
    uid,
)
from hearth.kube.meta import (
    annotations as annotations_of,
)


def log_key(broker: Object) -> str:
    """The name of a broker's log; a broker made anew under the same name gets a new one."""
    return f"{namespace(broker)}_{name(broker)}_{uid(broker)}"


def class_of(broker: Object) -> str | None:
    """The broker's class, which names its engine; None while the Broker is being deleted."""
    if is_deleting(broker):
        return None
    return annotations_of(broker).get(keys.BROKER_CLASS_ANNOTATION)


def broker_of(trigger: Object) -> Key:
    return namespace(trigger), str((trigger.get("spec") or {}).get("broker", ""))


def status_of(obj: Object) -> dict[str, Any]:
    return obj.get("status") or {}


def status_annotation(obj: Object, key: str) -> str | None:
    return (status_of(obj).get("annotations") or {}).get(key)


def is_resolved(trigger: Object) -> bool:
    """Whether its subscriber has an address."""
    return bool(status_of(trigger).get("subscriberUri"))


def subscribed_mark(trigger: Object) -> str:
    """The annotation's value that says: this spec is being served."""
    return str(generation(trigger))


def subscription_spec(trigger: Object, broker: Object, gateway: Address | None) -> SubscriptionSpec:
    """Raises ValueError for a filter or a delivery that cannot be served."""
    spec, status = trigger.get("spec") or {}, status_of(trigger)
    delivery = spec.get("delivery") or (broker.get("spec") or {}).get("delivery")
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

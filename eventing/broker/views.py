"""What the data plane reads off Broker and Trigger objects. Pure."""

from __future__ import annotations

from typing import Any

from eventing.api import keys
from eventing.broker.policy import DeliveryPolicy
from eventing.broker.subscription import TriggerView
from eventing.broker.target import Address, BadTarget, Target, parse_target
from eventing.filters import compile_trigger
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


def is_served(broker: Object) -> bool:
    """Whether it is of the class served here."""
    of_class = annotations_of(broker).get(keys.BROKER_CLASS_ANNOTATION)
    return of_class == keys.BROKER_CLASS and not is_deleting(broker)


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


def trigger_view(trigger: Object, broker: Object, gateway: Address | None) -> TriggerView:
    """Raises ValueError for a filter or a delivery that cannot be served."""
    spec, status = trigger.get("spec") or {}, status_of(trigger)
    delivery = spec.get("delivery") or (broker.get("spec") or {}).get("delivery")
    return TriggerView(
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

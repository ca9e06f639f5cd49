"""What a subscription is asked to do: a Trigger, in numbers and addresses. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from eventing.api.deliveryoptions import NO_OPTIONS, DeliveryOptions
from eventing.api.joins import JoinBranch
from eventing.engines.seam import Start
from eventing.filters import Filter
from eventing.runtime.delivery import Hop
from eventing.runtime.places import Place
from eventing.runtime.policy import DeliveryPolicy
from eventing.runtime.target import Target


class Reply(enum.Enum):
    """A place for replies that is no URL."""

    OWN_LOG = "own log"
    """The addressable that the event came from: a Broker takes replies in again."""


ReplyTo = Literal[Reply.OWN_LOG] | Target | None
"""Where replies go; None discards them."""


@dataclass(frozen=True, slots=True)
class SubscriptionSpec:
    """Deliveries to ``target``; without one, attempts fail as 404."""

    uid: str
    """Names the subscription's consumer in the log."""
    namespace: str
    name: str
    filter: Filter
    policy: DeliveryPolicy
    target: Target | None
    dead_letter: Target | None = None
    reply: ReplyTo = Reply.OWN_LOG
    start: Start = Start.LATEST
    """Where the log is read from by a subscription that is new."""
    wants: Mapping[str, Any] = field(default_factory=dict)
    """The filter as the Trigger's spec has it, to explain why an event does not match."""
    options: DeliveryOptions = NO_OPTIONS
    branch: JoinBranch | None = None
    """Which part of a Parallel's branch it is, where the branches are joined."""
    kind: str = "trigger"
    """What asks for it, as metrics say: a trigger or a subscription."""
    place: Place | None = None
    """Which Broker or channel it is of."""
    label: str = field(init=False)
    """What people call it: ``trigger NAMESPACE/NAME``."""

    def __post_init__(self) -> None:
        """Make the label once: it is noted for each attempt."""
        object.__setattr__(self, "label", f"{self.kind} {self.namespace}/{self.name}")


def target_of(spec: SubscriptionSpec, hop: Hop) -> Target | None:
    """Return where a delivery is sent to on this hop, if there is an address."""
    if hop is Hop.SUBSCRIBER:
        return spec.target
    if hop is Hop.DEAD_LETTER:
        return spec.dead_letter
    return spec.reply if isinstance(spec.reply, Target) else None

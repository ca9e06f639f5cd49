"""What the reconcilers of eventing go by. Pure."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

from eventing.api.views import broker_class
from eventing.kinds.adapters import Adapters
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.meta import Object


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Set at start; the same for all objects."""

    ingress_url: str
    """Where the ingress takes events, as producers reach it; without a slash at the end."""
    broker_classes: Set[str]
    """The classes that there is an engine for; Brokers of others belong to somebody else."""
    cluster_domain: str = CLUSTER_DOMAIN
    """What names of the cluster's Services end in."""
    adapters: Adapters = field(default_factory=Adapters)
    """How pods of adapters are made."""

    def serves(self, broker: Object) -> bool:
        """Whether a Broker is ours."""
        return broker_class(broker) in self.broker_classes

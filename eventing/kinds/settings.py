"""What the reconcilers of eventing go by. Pure."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

from eventing.api import keys
from eventing.api.kafkascaling import KafkaAutoscaler
from eventing.api.policyviews import audience_of
from eventing.api.settings import BrokerTls, Features
from eventing.api.views import broker_class
from eventing.kinds.adapters import Adapters
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.meta import Object, key
from hearth.kube.resources import Resource
from hearth.observability.traces.config import TracingConfig


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """The same for all objects; the features change, all else is set at start."""

    ingress_url: str
    """Where the ingress takes events, as producers reach it; without a slash at the end."""
    broker_classes: Set[str]
    """The classes that there is an engine for; Brokers of others belong to somebody else."""
    cluster_domain: str = CLUSTER_DOMAIN
    """What names of the cluster's Services end in."""
    api_server: str = ""
    """URL of the API server: the source of the events of ApiServerSources."""
    adapters: Adapters = field(default_factory=Adapters)
    """How pods of adapters are made."""
    features: Features = field(default_factory=Features)
    """The flags of config-features."""
    tls: BrokerTls = field(default_factory=BrokerTls)
    """Where events are taken in encrypted."""
    kafka_scaling: KafkaAutoscaler = field(default_factory=KafkaAutoscaler)
    """How KEDA scales KafkaSources, where it does."""
    shared_ingress: str = ""
    """The Service of the ingress of Brokers that several processes share, if there is one."""
    tracing: TracingConfig = field(default_factory=TracingConfig)
    """Where adapters send their traces."""

    @property
    def authenticates(self) -> bool:
        """Whether who sends must say who he is."""
        return self.features.is_enabled(keys.OIDC_FLAG)

    @property
    def encrypts(self) -> bool:
        """Whether addresses have https."""
        mode = self.features.flags.get(keys.ENCRYPTION_FLAG, "").lower()
        return mode in (keys.PERMISSIVE, keys.STRICT)

    def addresses(
        self, resource: Resource, obj: Object, url: str, path: str
    ) -> list[dict[str, Any]]:
        """Return the addresses of an object, the preferred one first; none where none can be told.

        ``url`` is the plain one, ``path`` where it is at the encrypted ingress.
        """
        plain, found = {"name": "http", "url": url}, []
        mode = self.features.flags.get(keys.ENCRYPTION_FLAG, "").lower()
        if self.encrypts:
            if not self.tls.url:
                return []
            secure = {"name": "https", "url": f"{self.tls.url}{path}", "CACerts": self.tls.ca_certs}
            found.append(secure)
        if mode != keys.STRICT:
            found.append(plain)
        if self.authenticates:
            for each in found:
                each["audience"] = audience_of(resource, key(obj))
        return found

    def ingress_of(self, broker: Object) -> str:
        """Return where events of a Broker are taken in: those of the local log in one place only.

        The shared ingress does not encrypt.
        """
        if not self.shared_ingress or self.encrypts or broker_class(broker) == keys.BROKER_CLASS:
            return self.ingress_url
        host = f"{self.shared_ingress}.{keys.SYSTEM_NAMESPACE}.svc.{self.cluster_domain}"
        return f"http://{host}"

    def serves(self, broker: Object) -> bool:
        """Whether a Broker is ours."""
        return broker_class(broker) in self.broker_classes

"""Settings from the ConfigMaps of ``knative-eventing``. Pure: text in, frozen values out.

A value that cannot be read raises ValueError: admission refuses the ConfigMap with its text (where
Knative's lets it pass), and whoever follows the ConfigMap keeps the last good value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from eventing.api import keys
from eventing.api.kafkascaling import KafkaAutoscaler, KafkaFeatures, KafkaSourceDefaults
from eventing.api.shapes import ChannelTemplate
from hearth.knative.configmap import Reader
from hearth.knative.duck import DeliverySpec, KReference
from hearth.knative.observability import MetricsConfig, metrics_of, runtime_of, tracing_of
from hearth.knative.settings import from_config_map
from hearth.kube.models import DecodeError, decode
from hearth.observability.traces.config import TracingConfig

_DEFAULT_KEY = "default-br-config"

DEFAULT_BROKER_CONFIG = f"""\
clusterDefault:
  brokerClass: {keys.BROKER_CLASS}
  apiVersion: v1
  kind: ConfigMap
  name: {keys.CONFIG_CHANNEL}
  namespace: {keys.SYSTEM_NAMESPACE}
  delivery:
    retry: 10
    backoffPolicy: exponential
    backoffDelay: PT0.2S
"""

DEFAULT_CHANNEL_CONFIG = """\
clusterDefault:
  apiVersion: messaging.knative.dev/v1
  kind: InMemoryChannel
"""

DEFAULT_FEATURES = {
    "kreference-group": "disabled",
    "delivery-backoff-max": "disabled",
    "delivery-retryafter": "disabled",
    "delivery-timeout": "enabled",
    "kreference-mapping": "disabled",
    "transport-encryption": "disabled",
    "eventtype-auto-create": "disabled",
    "authentication-oidc": "disabled",
    "default-authorization-mode": "allow-same-namespace",
    "cross-namespace-event-links": "disabled",
    "new-apiserversource-filters": "disabled",
    "requestreply-default-timeout": "PT30S",
    keys.JOURNEYS_FLAG: "enabled",
    keys.EVENT_RATE_FLAG: "0",
    keys.EVENT_DISK_FLAG: "0",
}


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """What a Broker that says nothing gets: its config reference and its delivery."""

    reference: KReference | None = None
    delivery: DeliverySpec | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """The defaults of the cluster or of one namespace."""

    broker_class: str = ""
    config: BrokerConfig | None = None
    by_class: Mapping[str, BrokerConfig] = field(default_factory=dict)
    same_namespace_only: bool | None = None


@dataclass(frozen=True, slots=True)
class BrokerDefaults:
    """config-br-defaults."""

    cluster: Scope | None = None
    namespaces: Mapping[str, Scope] = field(default_factory=dict)

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> BrokerDefaults:
        """Without a ConfigMap Knative's shipped defaults hold."""
        table = _table(data, _DEFAULT_KEY, default=DEFAULT_BROKER_CONFIG)
        by_namespace = _mapping(table.get("namespaceDefaults") or {})
        return cls(
            cluster=_scope(table["clusterDefault"]) if table.get("clusterDefault") else None,
            namespaces={name: _scope(scope) for name, scope in by_namespace.items() if scope},
        )

    def class_for(self, namespace: str) -> str:
        """The class of a Broker that names none."""
        scope = self.namespaces.get(namespace)
        if scope is not None and scope.broker_class:
            return scope.broker_class
        return self.cluster.broker_class if self.cluster is not None else ""

    def config_for(self, namespace: str, broker_class: str) -> BrokerConfig | None:
        """What a Broker of that class gets: by namespace and class first, then by class."""
        own = self.namespaces.get(namespace)
        effective_class = broker_class or (own.broker_class if own is not None else "")
        if own is not None and effective_class:
            if effective_class in own.by_class:
                return own.by_class[effective_class]
            if effective_class == own.broker_class and own.config is not None:
                return own.config
        # Classes of the cluster count only beside a config of the cluster itself.
        if self.cluster is None or self.cluster.config is None:
            return None
        return self.cluster.by_class.get(effective_class, self.cluster.config)

    def may_differ_in_namespace(self, namespace: str) -> bool:
        """Whether a Broker may take its config from another namespace."""
        scopes = (self.namespaces.get(namespace), self.cluster)
        return not any(scope is not None and scope.same_namespace_only for scope in scopes)


def _table(data: Mapping[str, str], key: str, *, default: str) -> dict[str, Any]:
    """Read the YAML at a key; the default where there is no ConfigMap."""
    text = data.get(key, "") if data else default
    if not text:
        raise ValueError(f'ConfigMap is missing (or empty) key: "{key}"')
    try:
        return _mapping(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ValueError(f"Failed to parse the entry: {error}") from None


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("Failed to parse the entry: not a map")
    return value


def _scope(value: Any) -> Scope:
    table = _mapping(value)
    classes = _mapping(table.get("brokerClasses") or {})
    return Scope(
        broker_class=str(table.get("brokerClass") or ""),
        config=_config(table),
        by_class={name: config for name, each in classes.items() if (config := _config(each))},
        same_namespace_only=table.get("disallowDifferentNamespaceConfig"),
    )


def _config(value: Any) -> BrokerConfig | None:
    table = _mapping(value)
    names = {"apiVersion", "kind", "name", "namespace", "group"}
    reference = {name: table[name] for name in names if name in table}
    delivery = table.get("delivery")
    if not reference and delivery is None:
        return None
    try:
        return BrokerConfig(
            decode(KReference, reference, root="BrokerConfig") if reference else None,
            decode(DeliverySpec, delivery, root="BrokerConfig") if delivery else None,
        )
    except DecodeError as error:
        raise ValueError(f"Failed to parse the entry: {error}") from None


@dataclass(frozen=True, slots=True)
class ChannelDefaults:
    """default-ch-webhook: which kind of channel those get that name none."""

    cluster: ChannelTemplate | None = None
    namespaces: Mapping[str, ChannelTemplate] = field(default_factory=dict)

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> ChannelDefaults:
        """Without a ConfigMap, or before there is one, channels are InMemoryChannels."""
        table = _table(data, "default-ch-config", default=DEFAULT_CHANNEL_CONFIG)
        cluster, by_namespace = table.get("clusterDefault"), table.get("namespaceDefaults")
        return cls(
            cluster=_template(cluster) if cluster else None,
            namespaces={
                name: _template(each) for name, each in _mapping(by_namespace or {}).items()
            },
        )

    def template_for(self, namespace: str) -> ChannelTemplate | None:
        """Return a template of its own, to be changed as one likes."""
        found = self.namespaces.get(namespace, self.cluster)
        return found.model_copy(deep=True) if found is not None else None


def _template(value: Any) -> ChannelTemplate:
    try:
        return decode(ChannelTemplate, _mapping(value), root="ChannelTemplateSpec")
    except DecodeError as error:
        raise ValueError(f"Failed to parse the entry: {error}") from None


@dataclass(frozen=True, slots=True)
class PingDefaults:
    """config-ping-defaults."""

    data_max_size: int = -1
    """The most bytes that a PingSource may send; below 0 there is no limit."""

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> PingDefaults:
        """Read the limit by its name or the older one."""
        size = Reader(data).integer("dataMaxSize", "data-max-size", default=-1)
        return cls(max(size, -1))


@dataclass(frozen=True, slots=True)
class Features:
    """config-features: flags by name, as text."""

    flags: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_FEATURES))

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> Features:
        """Read the flags; a flag that is not there has its default, unknown ones are kept."""
        given = {name: value.strip() for name, value in data.items()}
        return cls({**DEFAULT_FEATURES, **given})

    def is_enabled(self, flag: str) -> bool:
        """As Knative compares: in any case."""
        return self.flags.get(flag, "").lower() == "enabled"


@dataclass(frozen=True, slots=True)
class BrokerTls:
    """hearth-broker-tls: where the broker process serves TLS."""

    url: str = ""
    """What addresses begin with; empty as long as it does not."""
    ca_certs: str = ""
    """Whom to trust (PEM)."""

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> BrokerTls:
        """Read what the broker process has written."""
        return cls(data.get("url", "").rstrip("/"), data.get("ca.crt", ""))


@dataclass(frozen=True, slots=True)
class SharedIngress:
    """hearth-shared-ingress: where events of Brokers are sent that several processes take in."""

    service: str = ""
    """The Service that leads there; empty where there is none."""

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> SharedIngress:
        """Read what the installation says."""
        return cls(data.get("service", ""))


@dataclass(frozen=True, slots=True)
class Observability:
    """config-observability."""

    tracing: TracingConfig = field(default_factory=TracingConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    runtime: tuple[bool, float] = (False, 15.0)
    reports_sink_errors: bool = False

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> Observability:
        """Read the ConfigMap's data; raises ValueError in Knative's words."""
        reader = Reader(data)
        return cls(
            tracing_of(reader),
            metrics_of(reader),
            runtime_of(reader),
            reader.boolean("sink-event-error-reporting.enable", default=False),
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of eventing as one value, each field filled by the ConfigMap it names."""

    brokers: BrokerDefaults = from_config_map("config-br-defaults", BrokerDefaults.from_data)
    features: Features = from_config_map("config-features", Features.from_data)
    channels: ChannelDefaults = from_config_map("default-ch-webhook", ChannelDefaults.from_data)
    pings: PingDefaults = from_config_map("config-ping-defaults", PingDefaults.from_data)
    observability: Observability = from_config_map(keys.OBSERVABILITY, Observability.from_data)
    kafka_sources: KafkaSourceDefaults = from_config_map(
        "config-kafka-source-defaults", KafkaSourceDefaults.from_data
    )
    kafka_scaling: KafkaAutoscaler = from_config_map(
        "config-kafka-autoscaler", KafkaAutoscaler.from_data
    )
    kafka: KafkaFeatures = from_config_map("config-kafka-features", KafkaFeatures.from_data)
    tls: BrokerTls = from_config_map(keys.TLS_CONFIG_MAP, BrokerTls.from_data)
    shared_ingress: SharedIngress = from_config_map(
        keys.SHARED_INGRESS_CONFIG_MAP, SharedIngress.from_data
    )

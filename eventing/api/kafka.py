"""What Brokers of class ``Kafka`` and their ConfigMap say of topics and places. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from eventing.api import keys
from hearth.kube import meta
from hearth.kube.durations import parse_iso8601_duration
from hearth.kube.meta import Object

CONFIG_MAP = "kafka-broker-config"
"""Upstream's ConfigMap, unless a Broker's ``spec.config`` names another."""
CHANNEL_CONFIG_MAP = "kafka-channel-config"
"""That of KafkaChannels."""
USUAL_CONFIG = f"{keys.SYSTEM_NAMESPACE}/{CONFIG_MAP}"
CLASSES = (keys.KAFKA_CLASS, keys.KAFKA_NAMESPACED_CLASS)
DATA_PLANE_MAP = "config-kafka-broker-data-plane"
"""Upstream's ConfigMap with settings of its clients, for all Brokers."""
EXTERNAL_TOPIC = "kafka.eventing.knative.dev/external.topic"
"""Of a Broker: its events are in this topic, which is somebody else's."""
FEATURES_MAP = "config-kafka-features"
"""Upstream's ConfigMap with the templates of names."""
DEFAULT_RETENTION = "PT168H"
"""How long a KafkaChannel's topic keeps events."""
BROKERS_TOPIC = "brokers-topic-template", "knative-broker-{{ .Namespace }}-{{ .Name }}"
CHANNELS_TOPIC = "channels-topic-template", "knative-messaging-kafka.{{ .Namespace }}.{{ .Name }}"
TRIGGERS_GROUP = "triggers-consumergroup-template", "knative-trigger-{{ .Namespace }}-{{ .Name }}"
"""Their keys, and what counts where nothing is said."""

_FIELD = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_FIELDS = {".Namespace": "namespace", ".Name": "name", ".UID": "uid"}

BOOTSTRAP = "bootstrap.servers"
SECRET_NAME, SECRET_NAMESPACE = "auth.secret.ref.name", "auth.secret.ref.namespace"
_PARTITIONS, _REPLICAS = "default.topic.partitions", "default.topic.replication.factor"
_CONFIG_PREFIX = "default.topic.config."


def bootstrap_of(config_map: Object) -> str:
    """Return where Kafka is, addresses parted by commas; raise ValueError where none is named."""
    said = str(_data(config_map).get(BOOTSTRAP) or "")
    found = [each.strip() for each in said.split(",") if each.strip()]
    if not found:
        raise ValueError(f"invalid configuration bootstrapServers: {found}")
    return ",".join(found)


def secret_of(config_map: Object) -> tuple[str, str] | None:
    """Return namespace and name of the Secret that a ConfigMap names, if it names one."""
    data = _data(config_map)
    name = data.get(SECRET_NAME)
    if not name:
        return None
    return str(data.get(SECRET_NAMESPACE) or meta.namespace(config_map)), str(name)


def broker_options(broker: Object, config_map: Callable[[str], Object | None]) -> Mapping[str, Any]:
    """Return what a Broker asks of its topic, and the ConfigMap that says where that is.

    ``config_map`` returns a ConfigMap of Knative's namespace by its name. Raises ValueError for
    what cannot be read.
    """
    if meta.annotations(broker).get(keys.BROKER_CLASS_ANNOTATION) not in CLASSES:
        return {}
    config = config_of(broker)
    options: dict[str, Any] = {} if config == USUAL_CONFIG else {"at": config}
    if external := meta.annotations(broker).get(EXTERNAL_TOPIC):
        return options | {"topic": external, "external": True}
    return options | {"topic": name_of(BROKERS_TOPIC, config_map(FEATURES_MAP), broker)}


def config_of(broker: Object) -> str:
    """Return the ConfigMap that says where a Broker's Kafka is, as ``NAMESPACE/NAME``.

    Where ``spec.config`` names none, or that of Knative's own broker, it is upstream's; for
    ``KafkaNamespaced`` one of that name in the Broker's namespace. Raises ValueError in upstream's
    words.
    """
    named, own = (broker.get("spec") or {}).get("config") or {}, meta.namespace(broker)
    is_own = meta.annotations(broker)[keys.BROKER_CLASS_ANNOTATION] == keys.KAFKA_NAMESPACED_CLASS
    if named.get("name", keys.CONFIG_CHANNEL) == keys.CONFIG_CHANNEL:
        return f"{own if is_own else keys.SYSTEM_NAMESPACE}/{CONFIG_MAP}"
    kind, namespace = str(named.get("kind", "")), named.get("namespace") or own
    if kind.lower() != "configmap":
        raise ValueError(f"supported config Kind: ConfigMap - got {kind}")
    if is_own and namespace != own:
        raise ValueError(
            f'broker with "{keys.KAFKA_NAMESPACED_CLASS}" class need the config in the same '
            f'namespace with the broker. broker.spec.config.namespace="{namespace}", '
            f'broker.namespace="{own}"'
        )
    return f"{namespace}/{named['name']}"


def name_of(template: tuple[str, str], features: Object | None, of: Object) -> str:
    """Return what a template says of an object; raise ValueError for what it cannot say.

    Of Go's templates what upstream documents: fields of the object's metadata. Keys are written
    with dots, too.
    """
    key, default = template
    data = _data(features or {})
    text = str(data.get(key) or data.get(key.replace("-", ".")) or default)

    def value(match: re.Match[str]) -> str:
        field = _FIELDS.get(match[1])
        if field is None:
            known = ", ".join(_FIELDS)
            raise ValueError(f"{key}: {match[1]!r} of {text!r} is none of {known}")
        return str(meta.metadata(of).get(field) or "")

    made = _FIELD.sub(value, text)
    if "{{" in made or "}}" in made:
        raise ValueError(f"{key}: {text!r} has a brace too many")
    return made


def channel_options(channel: Object, features: Object | None) -> Mapping[str, Any]:
    """Return what a KafkaChannel's topic is to be like; raise ValueError for no time."""
    spec = channel.get("spec") or {}
    kept = parse_iso8601_duration(spec.get("retentionDuration") or DEFAULT_RETENTION)
    return {
        "at": f"{keys.SYSTEM_NAMESPACE}/{CHANNEL_CONFIG_MAP}",
        "topic": name_of(CHANNELS_TOPIC, features, channel),
        "partitions": spec.get("numPartitions") or 1,
        "replicas": spec.get("replicationFactor") or 1,
        "config": {"retention.ms": str(int(kept * 1000))},
    }


def usual_sizes(config_map: Object) -> Mapping[str, int]:
    """Return partitions and replicas of topics that say nothing; as Kafka has it where unsaid.

    Raises ValueError for what is no number above 0.
    """
    data = _data(config_map)
    said = {"partitions": _PARTITIONS, "replicas": _REPLICAS}
    return {field: _count(data, name) if name in data else -1 for field, name in said.items()}


def usual_settings(config_map: Object) -> Mapping[str, str]:
    """Return the settings of topics, in Kafka's words."""
    return {
        name.removeprefix(_CONFIG_PREFIX): str(value)
        for name, value in _data(config_map).items()
        if name.startswith(_CONFIG_PREFIX)
    }


def _data(config_map: Object) -> Mapping[str, Any]:
    return config_map.get("data") or {}


def _count(data: Mapping[str, Any], name: str) -> int:
    said = str(data.get(name, ""))
    if not said.isdecimal() or int(said) <= 0:
        raise ValueError(f"{name} of the ConfigMap is no number above 0: {said!r}")
    return int(said)

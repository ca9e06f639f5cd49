"""What Brokers of class ``Kafka`` and their ConfigMap say of topics and places. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object

CONFIG_MAP = "kafka-broker-config"
"""Upstream's ConfigMap, unless a Broker's ``spec.config`` names another."""
EXTERNAL_TOPIC = "kafka.eventing.knative.dev/external.topic"
"""Of a Broker: its events are in this topic, which is somebody else's."""
DELIVERY_ORDER = "kafka.eventing.knative.dev/delivery.order"
"""Of a Trigger: ``ordered`` or ``unordered`` (which nothing said means)."""
ORDERS = ("ordered", "unordered")

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


def topic_options(broker: Object, config_map: Object, topic: str) -> Mapping[str, Any]:
    """Return what a Broker's topic is to be like; raise ValueError where that cannot be read.

    ``topic`` is its name unless the Broker names one of somebody else.
    """
    if external := meta.annotations(broker).get(EXTERNAL_TOPIC):
        return {"topic": external, "external": True}
    data = _data(config_map)
    return {
        "topic": topic,
        "partitions": _count(data, _PARTITIONS),
        "replicas": _count(data, _REPLICAS),
        "config": {
            name.removeprefix(_CONFIG_PREFIX): str(value)
            for name, value in data.items()
            if name.startswith(_CONFIG_PREFIX)
        },
    }


def is_ordered(trigger: Object) -> bool:
    """Whether a Trigger asks for order per key; raise ValueError for a word that is none."""
    said = meta.annotations(trigger).get(DELIVERY_ORDER) or ORDERS[1]
    if said.lower() not in ORDERS:
        raise ValueError(f"{DELIVERY_ORDER}: {said!r} is neither ordered nor unordered")
    return said.lower() == ORDERS[0]


def _data(config_map: Object) -> Mapping[str, Any]:
    return config_map.get("data") or {}


def _count(data: Mapping[str, Any], name: str) -> int:
    said = str(data.get(name, ""))
    if not said.isdecimal() or int(said) <= 0:
        raise ValueError(f"{name} of the ConfigMap is no number above 0: {said!r}")
    return int(said)

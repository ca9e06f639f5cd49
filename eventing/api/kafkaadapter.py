"""What the adapter of a KafkaSource is told, in ``K_SOURCE_CONFIG`` and variables of Secrets. Pure.

The variables have the names that upstream's adapter and KafkaBinding have for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventing.api.kafkasource import KEY_TYPE_LABEL, LATEST, ORDERED
from eventing.api.views import spec_of
from hearth.kube import meta
from hearth.kube.meta import Object

_SASL = {"user": "USER", "password": "PASSWORD", "type": "TYPE"}
_TLS = {"cert": "CERT", "key": "KEY", "caCert": "CA_CERT"}
_KEYS = {
    "KAFKA_NET_SASL_USER": "user",
    "KAFKA_NET_SASL_PASSWORD": "password",
    "KAFKA_NET_SASL_TYPE": "sasl.mechanism",
    "KAFKA_NET_TLS_CERT": "user.crt",
    "KAFKA_NET_TLS_KEY": "user.key",
    "KAFKA_NET_TLS_CA_CERT": "ca.crt",
}
"""Variables, and what upstream's Secrets for Brokers and sinks call the same."""
DEFAULT_DELIVERY: Mapping[str, Any] = {
    "retry": 10,
    "backoffPolicy": "exponential",
    "backoffDelay": "PT0.3S",
    "timeout": "PT600S",
}
"""What counts for a KafkaSource without ``delivery``."""


@dataclass(frozen=True, slots=True)
class KafkaAdapterConfig:
    """Which records are read, and what becomes of them."""

    namespace: str
    name: str
    servers: Sequence[str]
    topics: Sequence[str]
    group: str
    earliest: bool = False
    """Whether a new group begins with the oldest record, not with the next one."""
    ordered: bool = True
    delivery: Mapping[str, Any] = field(default_factory=lambda: DEFAULT_DELIVERY)
    dead_letter: str = ""
    """Where events go that the sink does not take; nowhere if empty."""
    key_type: str = ""
    sasl: bool = False
    tls: bool = False

    def to_json(self) -> str:
        """Return it as text."""
        fields = {each: getattr(self, each) for each in self.__slots__}
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> KafkaAdapterConfig:
        """Read what ``to_json`` wrote; raise ValueError for what is no such thing."""
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"this is no configuration of a KafkaSource: {error}") from None

    def security(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return what the variables say, as a Secret for a sink would say it."""
        found = {key: environment[name] for name, key in _KEYS.items() if environment.get(name)}
        found["protocol"] = ("SASL_" if self.sasl else "") + ("SSL" if self.tls else "PLAINTEXT")
        if "user.crt" not in found:
            found["user.skip"] = "true"
        return found


def config_of(source: Object, dead_letter: str = "") -> KafkaAdapterConfig:
    """Return what the adapter of a KafkaSource is to do."""
    spec = spec_of(source)
    net: Mapping[str, Any] = spec.get("net") or {}
    namespace, name = meta.key(source)
    return KafkaAdapterConfig(
        namespace,
        name,
        servers=spec.get("bootstrapServers") or (),
        topics=spec.get("topics") or (),
        group=spec.get("consumerGroup") or "",
        earliest=spec.get("initialOffset", LATEST) != LATEST,
        ordered=spec.get("ordering", ORDERED) == ORDERED,
        delivery=spec.get("delivery") or DEFAULT_DELIVERY,
        dead_letter=dead_letter,
        key_type=meta.labels(source).get(KEY_TYPE_LABEL, ""),
        sasl=bool((net.get("sasl") or {}).get("enable")),
        tls=bool((net.get("tls") or {}).get("enable")),
    )


def secret_variables(source: Object) -> list[dict[str, Any]]:
    """Return the variables that a pod has from Secrets."""
    net: Mapping[str, Any] = spec_of(source).get("net") or {}
    found = []
    for part, names in (("sasl", _SASL), ("tls", _TLS)):
        given: Mapping[str, Any] = net.get(part) or {}
        if not given.get("enable"):
            continue
        for field_name, title in names.items():
            reference = (given.get(field_name) or {}).get("secretKeyRef")
            if reference and reference.get("name"):
                variable = f"KAFKA_NET_{part.upper()}_{title}"
                found.append({"name": variable, "valueFrom": {"secretKeyRef": dict(reference)}})
    return found

"""Upstream's ``*.properties`` of its clients, in Java's words, as settings of librdkafka. Pure.

Those have an effect that librdkafka has, too, and that no promise of ours rests on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_PRODUCERS = "config-kafka-broker-producer.properties"
_COMMON = {
    "client.dns.lookup": "client.dns.lookup",
    "client.id": "client.id",
    "connections.max.idle.ms": "connections.max.idle.ms",
    "metadata.max.age.ms": "topic.metadata.refresh.interval.ms",
    "reconnect.backoff.max.ms": "reconnect.backoff.max.ms",
    "reconnect.backoff.ms": "reconnect.backoff.ms",
    "retry.backoff.ms": "retry.backoff.ms",
}
_PRODUCER = _COMMON | {
    "batch.size": "batch.size",
    "compression.type": "compression.type",
    "linger.ms": "linger.ms",
}
_CONSUMER = _COMMON | {
    "check.crcs": "check.crcs",
    "client.rack": "client.rack",
    "fetch.max.bytes": "fetch.max.bytes",
    "fetch.max.wait.ms": "fetch.wait.max.ms",
    "fetch.min.bytes": "fetch.min.bytes",
    "max.partition.fetch.bytes": "fetch.message.max.bytes",
    "session.timeout.ms": "session.timeout.ms",
}


def producer_settings(text: str) -> dict[str, str]:
    """Return settings of a producer; raise ValueError for what we do not do."""
    said = dict(_properties(text))
    if said.get("acks", "all") not in ("all", "-1"):
        raise ValueError(f"{_PRODUCERS}: acks={said['acks']}, but 202 means acks=all")
    if said.get("transactional.id"):
        raise ValueError(f"{_PRODUCERS}: transactional.id, but events go without transactions")
    return _known(said, _PRODUCER)


def consumer_settings(text: str) -> dict[str, str]:
    """Return settings of a consumer."""
    return _known(dict(_properties(text)), _CONSUMER)


def _known(said: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    return {names[name]: value for name, value in said.items() if name in names and value}


def _properties(text: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a properties file; comments begin with ``#`` or ``!``."""
    for line in text.splitlines():
        name, sign, value = line.strip().partition("=")
        if sign and name[0] not in "#!":
            yield name.strip(), value.strip()

"""What the engine is told: where Kafka is, who we are there, what a topic is made like. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventing.engines.kafka.names import check_topic

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class KafkaServer:
    """Where Kafka is, and who we are there."""

    bootstrap: str = "127.0.0.1:9092"
    """Addresses, parted by commas."""
    security: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Settings of librdkafka, as ``security_of`` reads them off a Secret."""
    producer: Mapping[str, str] = field(default_factory=dict)
    consumer: Mapping[str, str] = field(default_factory=dict)
    """More settings of librdkafka; ours that promises rest on count before them."""
    prefix: str = "hearth"
    """What names of ours begin with, where nobody named a topic."""
    partitions: int = 10
    replicas: int = 3
    """Of topics of ours, unless a log asks for others; upstream's defaults."""
    topic_config: Mapping[str, str] = field(default_factory=dict)
    """Settings of topics of ours, in Kafka's words."""

    def common(self) -> dict[str, str]:
        """Return the settings that every client has."""
        return {**self.security, "bootstrap.servers": self.bootstrap, "log_level": "0"}


@dataclass(frozen=True, slots=True)
class KafkaLimits:
    """Bytes and seconds, as the names say."""

    log_bytes: int = 1024 * MIB
    """What the events may be that some consumer has not settled; producers wait beyond (429)."""
    pending_bytes: int = 32 * MIB
    """Events that Kafka has not acknowledged yet; more are refused for now (429)."""
    tail_bytes: int = 16 * MIB
    """The newest events of a log, kept in memory for all consumers together."""
    answer_seconds: float = 5.0
    """Kafka answers within this time, or is not there."""
    session_seconds: float = 10.0
    """The partitions of a process that is gone go to others after this time."""
    refresh_seconds: float = 10.0
    """How often it is asked whether a topic is there, and which partitions it has."""
    save_seconds: float = 1.0
    """How often it is saved how far consumers are: a crash repeats at most so much."""


@dataclass(frozen=True, slots=True)
class TopicOptions:
    """What a Broker or channel asks of its topic."""

    topic: str = ""
    """Its name; empty for one of ours."""
    partitions: int = 0
    replicas: int = 0
    """0: as ``KafkaServer`` says."""
    config: Mapping[str, str] = field(default_factory=dict)
    """Settings of the topic, in Kafka's words."""
    is_external: bool = False
    """Whether it is somebody else's: it is neither made nor removed."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> TopicOptions:
        """Read what ``broker_options`` made; raise ValueError for what means nothing."""
        unknown = options.keys() - {"topic", "partitions", "replicas", "config", "external"}
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))}: no option of a topic")
        topic, config = options.get("topic", ""), options.get("config") or {}
        return cls(
            topic=check_topic(topic) if topic else "",
            partitions=_count(options, "partitions"),
            replicas=_count(options, "replicas"),
            config={str(name): str(value) for name, value in config.items()},
            is_external=bool(options.get("external")),
        )


def _count(options: Mapping[str, Any], name: str) -> int:
    if name not in options:
        return 0
    found = options[name]
    if not isinstance(found, int) or isinstance(found, bool) or found <= 0:
        raise ValueError(f"{name}: {found!r} is no number above 0")
    return found

"""The one list of event engines: which engine serves which broker class."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eventing.api import keys
from eventing.engines.kafka.config import KafkaServer
from eventing.engines.local.config import LogLimits
from eventing.engines.nats.config import NatsServer
from eventing.engines.seam import Engine, Unavailable
from eventing.engines.topics import NO_ADMIN, TopicProblem, Topics

KafkaSource = Callable[..., Awaitable[KafkaServer]]
"""Returns where Kafka is, by the usual ConfigMap or the one that is named (NAMESPACE/NAME).

Raises Unavailable where that is not said.
"""
NatsSource = Callable[[], Awaitable[NatsServer]]
"""Returns where NATS is; raises Unavailable where that is not said."""

REMOTE = frozenset({keys.KAFKA_CLASS, keys.NATS_CLASS})
"""Classes whose engine asks a server: made when a Broker needs it, and not to look around."""
UNSHARED = frozenset({keys.BROKER_CLASS})
"""Classes whose logs one process has open: it is both ingress and dispatcher."""


@dataclass(frozen=True, slots=True)
class EnginesConfig:
    """What engines are made with; each takes what is its own."""

    data_dir: Path
    """Where an engine on this machine keeps its files, in a folder of its own."""
    log: LogLimits = field(default_factory=LogLimits)
    """Limits of the local log."""
    nats: NatsSource | None = None
    """Where NATS is, if it is anywhere."""
    kafka: KafkaSource | None = None
    """Where Kafka is, if it is anywhere."""


EngineFactory = Callable[[EnginesConfig], Engine]


def _kafka(config: EnginesConfig) -> Engine:
    if config.kafka is None:
        raise Unavailable("no Kafka is named")
    try:
        from eventing.engines.kafka.several import KafkaEngines
    except ImportError as error:
        raise Unavailable(f"{error.name} is missing: install hearth-serving[kafka]") from error

    return KafkaEngines(config.kafka)


def _nats(config: EnginesConfig) -> Engine:
    if config.nats is None:
        raise Unavailable("no NATS server is named")
    try:
        from eventing.engines.nats.engine import NatsEngine
    except ImportError as error:
        raise Unavailable(f"{error.name} is missing: install hearth-serving[nats]") from error

    return NatsEngine(config.nats)


def _local(config: EnginesConfig) -> Engine:
    from eventing.engines.local.engine import LocalEngine  # an engine is imported when it is used

    return LocalEngine(config.data_dir / "events", config.log)


ENGINES: Mapping[str, EngineFactory] = {
    keys.BROKER_CLASS: _local,
    keys.KAFKA_CLASS: _kafka,
    keys.KAFKA_NAMESPACED_CLASS: _kafka,
    keys.NATS_CLASS: _nats,
}
"""By the value of the annotation ``eventing.knative.dev/broker.class``."""


def kafka_topics() -> Topics:
    """Return who opens topics of Kafka; raise TopicProblem where its client is not installed."""
    try:
        from eventing.engines.kafka.outlets import KafkaTopics
    except ImportError as error:
        why = f"{error.name} is missing: install hearth-serving[kafka]"
        raise TopicProblem(NO_ADMIN, why) from error
    return KafkaTopics()


_SAME = {keys.KAFKA_NAMESPACED_CLASS: keys.KAFKA_CLASS}
"""Classes that have the engine of another."""


class Engines:
    """The engines of one process, each made when a broker first needs it."""

    def __init__(
        self, config: EnginesConfig, factories: Mapping[str, EngineFactory] = ENGINES
    ) -> None:
        self._config = config
        self._factories = factories
        self._made: dict[str, Engine] = {}

    def serves(self, broker_class: str | None) -> bool:
        """Whether there is an engine for this class."""
        return broker_class in self._factories

    def of_class(self, broker_class: str) -> Engine:
        """Return the engine of a class; raise KeyError where there is none, or Unavailable."""
        broker_class = _SAME.get(broker_class, broker_class)
        engine = self._made.get(broker_class)
        if engine is None:
            engine = self._made[broker_class] = self._factories[broker_class](self._config)
        return engine

    def all(self, needed: Collection[str] | None = None) -> Mapping[str, Engine]:
        """Make and return every engine that there can be here, by class.

        Of remote ones only those that are ``needed``, where that is said.
        """
        found = {}
        needed = None if needed is None else {_SAME.get(each, each) for each in needed}
        for broker_class in self._factories.keys() - _SAME.keys():
            if needed is None or broker_class in needed or broker_class not in REMOTE:
                with contextlib.suppress(Unavailable):
                    found[broker_class] = self.of_class(broker_class)
        return found

    async def close(self) -> None:
        """Close all engines."""
        while self._made:
            await self._made.popitem()[1].close()

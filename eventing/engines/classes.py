"""The one list of event engines: which engine serves which broker class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eventing.api import keys
from eventing.engines.local.config import LogLimits
from eventing.engines.seam import Engine


@dataclass(frozen=True, slots=True)
class EnginesConfig:
    """What engines are made with; each takes what is its own."""

    data_dir: Path
    """Where an engine on this machine keeps its files, in a folder of its own."""
    log: LogLimits = field(default_factory=LogLimits)
    """Limits of the local log."""


EngineFactory = Callable[[EnginesConfig], Engine]


def _local(config: EnginesConfig) -> Engine:
    from eventing.engines.local.engine import LocalEngine  # an engine is imported when it is used

    return LocalEngine(config.data_dir / "events", config.log)


ENGINES: Mapping[str, EngineFactory] = {
    keys.BROKER_CLASS: _local,
}
"""By the value of the annotation ``eventing.knative.dev/broker.class``."""


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
        """Return the engine of a class; raise KeyError where there is none."""
        engine = self._made.get(broker_class)
        if engine is None:
            engine = self._made[broker_class] = self._factories[broker_class](self._config)
        return engine

    def all(self) -> Mapping[str, Engine]:
        """Make and return every engine, by class."""
        return {broker_class: self.of_class(broker_class) for broker_class in self._factories}

    async def close(self) -> None:
        """Close all engines."""
        while self._made:
            await self._made.popitem()[1].close()

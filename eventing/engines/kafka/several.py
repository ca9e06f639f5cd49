"""An engine for each ConfigMap that says where Kafka is: Brokers and channels may name others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any

from eventing.engines.kafka.config import KafkaLimits, KafkaServer
from eventing.engines.kafka.engine import KafkaEngine
from eventing.engines.kafka.log import KafkaLog
from eventing.engines.seam import Capabilities

AT = "at"
"""The option of a log that names the ConfigMap: NAMESPACE/NAME; else it is the usual one."""


class KafkaEngines:
    """Opens each log where its options say; connects to each Kafka when it is first used."""

    def __init__(
        self, where: Callable[..., Awaitable[KafkaServer]], limits: KafkaLimits | None = None
    ) -> None:
        """``where`` reads the usual ConfigMap, or with an argument the one of that name."""
        self._where = where
        self._limits = limits
        self._made: dict[str, KafkaEngine] = {}
        self._usual = self._of("")
        self._engine_of: dict[str, KafkaEngine] = {}
        """Those of logs that were opened here, by key."""

    def _of(self, config: str) -> KafkaEngine:
        engine = self._made.get(config)
        if engine is None:
            source = partial(self._where, config) if config else self._where
            engine = self._made[config] = KafkaEngine(source, self._limits)
        return engine

    @property
    def capabilities(self) -> Capabilities:
        """What it promises."""
        return self._usual.capabilities

    async def open(self, key: str, options: Mapping[str, Any] | None = None) -> KafkaLog:
        """Open a log, making its topic where there is none."""
        asked = dict(options or {})
        engine = self._of(str(asked.pop(AT, "")))
        self._engine_of[key] = engine
        return await engine.open(key, asked)

    async def drop(self, key: str) -> None:
        """Remove a log with all its events and consumers."""
        known = self._engine_of.pop(key, None)
        for engine in [known] if known is not None else self._used():
            await engine.drop(key)

    def _used(self) -> list[KafkaEngine]:
        """Those that have logs open; the usual one where none has."""
        return [each for each in self._made.values() if each.logs] or [self._usual]

    async def keys(self) -> Collection[str]:
        """Return the keys of all logs there are, where some are open."""
        return [key for engine in self._used() for key in await engine.keys()]

    def abort(self) -> None:
        """As if the process had been killed: nothing more is saved."""
        for engine in self._made.values():
            engine.abort()

    async def close(self) -> None:
        """Let go of all logs, and of each Kafka."""
        for engine in self._made.values():
            await engine.close()

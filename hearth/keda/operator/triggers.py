"""The triggers of one object: their scalers, read side by side, made anew where a read fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

from hearth.keda.operator.metrics import ScalerMetrics
from hearth.keda.scalers.seam import (
    ConfigError,
    DescribedScaler,
    MetricSpec,
    PushScaler,
    Reading,
    Scaler,
    ScalerError,
    TriggerConfig,
)
from hearth.keda.scalers.telling import LISTENER
from hearth.keda.scaling.observing import Sample
from hearth.kube.clock import Clock
from hearth.kube.guards import caught
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

MakeConfig = Callable[[], Awaitable[TriggerConfig]]
MakeScaler = Callable[[TriggerConfig], Scaler]
_GRACE = 2.0
"""Seconds beyond twice its time-out after which a scaler is held to hang."""


class Trigger:
    """One trigger. ``read`` never raises: what goes wrong is in the sample."""

    def __init__(
        self,
        make_config: MakeConfig,
        make: MakeScaler,
        *,
        clock: Clock,
        is_cached: bool = False,
        metrics: ScalerMetrics,
    ) -> None:
        self.sample: Sample | None = None
        """The last look."""
        self.is_cached = is_cached
        """Whether the HPA gets what the last poll has read."""
        self._make_config = make_config
        self._make = make
        self._clock = clock
        self._metrics = metrics
        self._scaler: Scaler | None = None
        self._config: TriggerConfig | None = None
        self._is_reading = asyncio.Lock()

    async def open(self) -> None:
        """Make the scaler; raise ConfigError, or ScalerError where only its server knows it."""
        self._config = await self._make_config()
        self._scaler = self._make(self._config)
        if isinstance(self._scaler, DescribedScaler):
            await self._scaler.describe()

    async def close(self) -> None:
        """Let go of the scaler."""
        scaler, self._scaler = self._scaler, None
        if scaler is not None:
            await scaler.close()

    @property
    def name(self) -> str:
        """As formulas and metrics call it."""
        assert self._config is not None
        return self._config.name or self._config.type

    @property
    def spec(self) -> MetricSpec:
        """The metric; of a trigger that is open."""
        assert self._scaler is not None
        return self._scaler.spec

    @property
    def pushes(self) -> bool:
        """Whether it tells of work by itself."""
        return isinstance(self._scaler, PushScaler)

    async def activity(self) -> AsyncIterator[bool]:
        """Yield what it tells, until it is closed."""
        scaler = self._scaler
        if isinstance(scaler, PushScaler):
            async for is_active in scaler.activity():
                yield is_active

    async def read(self) -> Sample:
        """Look now. A scaler that fails is made anew, secrets read again, and asked once more."""
        async with self._is_reading:
            spec = self.spec
            try:
                reading = await self._timed()
            except (ScalerError, ConfigError):
                try:
                    await self.close()
                    await self.open()
                    spec, reading = self.spec, await self._timed()
                except (ScalerError, ConfigError) as error:
                    return self._note(Sample(self.name, spec, error=str(error) or repr(error)))
            return self._note(Sample(self.name, spec, reading))

    def _note(self, sample: Sample) -> Sample:
        self.sample = sample
        self._metrics.told(sample)
        if self._scaler is None:  # it could not be made again; tried at the next look
            self._scaler = _Broken(sample)
        return sample

    async def _timed(self) -> Reading:
        assert self._scaler is not None
        assert self._config is not None
        limit = 2 * self._config.timeout + _GRACE
        started = self._clock()
        self._metrics.asks(self._config.type, self._config.name, self.spec.name)
        told = LISTENER.set(self._metrics)
        try:
            async with time_limit(limit):
                reading = await self._scaler.read()
        except TimeoutError as error:
            raise ScalerError(f"no answer within {limit:g} s") from error
        except (ScalerError, ConfigError):
            raise
        except Exception as error:
            caught("keda scaler")
            raise ScalerError(f"{type(error).__name__}: {error}") from error
        finally:
            LISTENER.reset(told)
        self._metrics.took(self.name, self.spec.name, self._clock() - started)
        return reading


class _Broken:
    """Stands where no scaler could be made."""

    def __init__(self, sample: Sample) -> None:
        self.spec = sample.spec
        self._error = sample.error

    async def read(self) -> Reading:
        raise ScalerError(self._error)

    async def close(self) -> None:
        """There is nothing."""


class Triggers:
    """All triggers of an object."""

    def __init__(self, triggers: Sequence[Trigger] = ()) -> None:
        self._triggers = tuple(triggers)

    @property
    def pushing(self) -> list[tuple[int, Trigger]]:
        """Those that tell by themselves, each with its place."""
        return [(at, trigger) for at, trigger in enumerate(self._triggers) if trigger.pushes]

    async def open(self) -> None:
        """Make all scalers; raise ConfigError or ScalerError, and leave none open then."""
        try:
            for trigger in self._triggers:
                await trigger.open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of all."""
        await asyncio.gather(*(trigger.close() for trigger in self._triggers))

    @property
    def specs(self) -> list[MetricSpec]:
        """Their metrics, in their order."""
        return [trigger.spec for trigger in self._triggers]

    async def read(self, *, only: Collection[int] = (), cached: bool = False) -> list[Sample]:
        """Look at all side by side, or at some, with what is known of the others.

        With ``cached`` those that are to be read by polls alone are not read.
        """
        asked = [
            _known(trigger)
            if trigger.sample is not None
            and ((only and index not in only) or (cached and trigger.is_cached))
            else trigger.read()
            for index, trigger in enumerate(self._triggers)
        ]
        samples = await asyncio.gather(*asked)
        return list(samples)


async def _known(trigger: Trigger) -> Sample:
    assert trigger.sample is not None
    return trigger.sample

"""A trigger that names a route of the HTTP add-on, answered in this process: no wire, no poll."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from hearth.keda.external.counters import SILENCE_SECONDS
from hearth.keda.external.metrics import RouteMetric
from hearth.keda.scalers.seam import MetricSpec, Reading, ScalerError, metric_name
from hearth.timeouts import time_limit

Metrics = Callable[[], list[RouteMetric]]
"""The metrics of the route as they are now; raises ScalerError where there are none."""


class RouteScaler:
    """A ``PushScaler``.

    Where a route has two metrics, the first is told, with a value by which it asks for as many
    replicas as whichever of them asks for more.
    """

    def __init__(
        self,
        index: int,
        metrics: Metrics,
        is_active: Callable[[], bool],
        is_known: Callable[[], Awaitable[bool]],
    ) -> None:
        """``is_active`` raises as ``metrics`` does.

        ``is_known`` says whether activators report at all; it may wait for them a moment.
        """
        self._index = index
        self._metrics = metrics
        self._is_active = is_active
        self._is_known = is_known
        self.told = asyncio.Event()
        """To be set whenever an activator has said something of the route."""
        self.is_closed = False

    @property
    def spec(self) -> MetricSpec:
        """Its name and target, which follow the route's object; raises ScalerError."""
        first = self._metrics()[0]
        return MetricSpec(metric_name(self._index, first.name), first.target)

    async def read(self) -> Reading:
        """Tell what there is now."""
        self._metrics()
        if not await self._is_known():
            raise ScalerError("no activator reports on requests")
        metrics = self._metrics()
        replicas = max(each.value / each.target for each in metrics)
        return Reading(replicas * metrics[0].target, self._is_active())

    async def activity(self) -> AsyncGenerator[bool]:
        """Yield whether there are requests: whenever some are told of, and once they are over.

        It ends when the scaler is closed.
        """
        was_active: bool | None = None
        while not self.is_closed:
            was_told = self.told.is_set()
            self.told.clear()
            is_active = self._is_active()
            if is_active != was_active or (is_active and was_told):
                was_active = is_active
                yield is_active
            try:
                # What was said last counts no more after a silence, of which nobody tells.
                async with time_limit(SILENCE_SECONDS if is_active else None):
                    await self.told.wait()
            except TimeoutError:
                continue

    async def close(self) -> None:
        """Hear no more."""
        self.is_closed = True
        self.told.set()

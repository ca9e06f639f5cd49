"""Where requests become a trigger: activators report here, triggers that name routes ask here.

Made by who scales (the operator, or the external scaler for a real KEDA). Its own controller makes
the ScaledObjects of HTTPScaledObjects.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Self

from hearth.keda.api.httproutes import HttpRoute, InvalidRoute, read_route
from hearth.keda.api.keys import HTTPSCALEDOBJECTS, INTERCEPTORROUTES
from hearth.keda.external.counters import RouteCounters
from hearth.keda.external.httpscaledobjects import CONTROLLER
from hearth.keda.external.listener import Listener
from hearth.keda.external.metrics import (
    HTTPSCALEDOBJECT,
    INTERCEPTORROUTE,
    RouteMetric,
    metrics_of,
)
from hearth.keda.external.scaler import RouteScaler
from hearth.keda.scalers.seam import ConfigError, ScalerError, TriggerConfig
from hearth.knative.questions import Explain
from hearth.kube.client import KubeClient
from hearth.kube.controllerspec import Source
from hearth.kube.guards import keep_running
from hearth.kube.leadership import ALONE, Leadership
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, key
from hearth.kube.tokens import Tokens
from hearth.timeouts import time_limit
from serving.api.stats import Frame

log = logging.getLogger(__name__)

_RESOURCES = {INTERCEPTORROUTE: INTERCEPTORROUTES, HTTPSCALEDOBJECT: HTTPSCALEDOBJECTS}
_TYPES = ("external-push", "external")
_FIRST_LIST_SECONDS = 5.0
_PATIENCE_SECONDS = 2.5
"""Less than a read may take, and more than activators wait before they try again."""


class RouteHub:
    """Use as an async context manager; it is entered once routes have been read."""

    def __init__(
        self,
        client: KubeClient,
        tokens: Tokens,
        host: str,
        port: int,
        *,
        leadership: Leadership = ALONE,
        clock: Callable[[], float] = time.monotonic,
        explain: Explain | None = None,
    ) -> None:
        """Activators that show one of the tokens report to ``host`` and ``port``.

        ``explain`` answers, there, who asks why something is scaled as it is.
        """
        self._address = (host, port)
        self._clock = clock
        self._counters = RouteCounters()
        self._routes: dict[str, dict[Key, HttpRoute]] = {kind: {} for kind in _RESOURCES}
        self._scalers: dict[Key, list[RouteScaler]] = {}
        self._has_joined = asyncio.Event()
        self._listener = Listener(
            tokens,
            joined=self._joined,
            receive=self._receive,
            lost=self._lost,
            explain=explain,
        )
        self._manager = Manager(client, name="hearth-keda-http", leadership=leadership)
        self._manager.add(CONTROLLER, lambda: None)
        self._caches = [self._manager.cache(Source(each)) for each in _RESOURCES.values()]
        for kind, resource in _RESOURCES.items():
            self._manager.on_change(Source(resource), partial(self._changed, kind))
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where activators report."""
        return self._listener.port

    async def __aenter__(self) -> Self:
        await self._listener.start(*self._address)
        self._task = asyncio.create_task(
            keep_running("keda-http", self._manager.run), name="keda-http"
        )
        with suppress(TimeoutError):
            async with time_limit(_FIRST_LIST_SECONDS):
                for cache in self._caches:
                    # Where a kind is not there nobody waits for it.
                    while not (cache.is_synced or cache.failure):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._listener.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # -- for triggers -------------------------------------------------------------------------

    def answers(self, config: TriggerConfig) -> bool:
        """Whether a trigger names a route, by whatever address."""
        return config.type in _TYPES and any(kind in config.metadata for kind in _RESOURCES)

    def scaler(self, config: TriggerConfig) -> RouteScaler:
        """Make a scaler of such a trigger; raises ConfigError where there is no such route."""
        kind, item = route_of(config.metadata, config.namespace)
        try:
            self.metrics(kind, item)
        except ScalerError as error:
            raise ConfigError(str(error)) from error
        made = RouteScaler(
            config.index,
            partial(self.metrics, kind, item),
            partial(self.is_active, kind, item),
            self.known_soon,
        )
        open_ones = [each for each in self._scalers.get(item, ()) if not each.is_closed]
        self._scalers[item] = [*open_ones, made]
        return made

    def metrics(self, kind: str, item: Key) -> list[RouteMetric]:
        """Return what is measured of a route; raises ScalerError where there is nothing."""
        route = self._routes[kind].get(item)
        if route is None:
            resource = _RESOURCES[kind]
            raise ScalerError(f'{resource.plural}.{resource.group} "{item[1]}" not found')
        metrics = metrics_of(route, kind, self._counters, self._clock())
        if not metrics:
            raise ScalerError("the route has no scalingMetric")
        return metrics

    def is_active(self, kind: str, item: Key) -> bool:
        """Whether a route has requests: such as wait are in no rate yet. Raises ScalerError."""
        metrics = self.metrics(kind, item)
        waiting = self._counters.concurrency(item, self._clock()) > 0
        return waiting or any(each.value for each in metrics)

    def is_known(self) -> bool:
        """Whether activators report, or did a moment ago."""
        return self._counters.is_known(self._clock())

    async def known_soon(self) -> bool:
        """The same; at the start activators get a moment to connect."""
        with suppress(TimeoutError):
            async with time_limit(_PATIENCE_SECONDS):
                while not self.is_known():
                    self._has_joined.clear()
                    await self._has_joined.wait()
        return self.is_known()

    # -- what comes in ------------------------------------------------------------------------

    def _joined(self, activator: str) -> None:
        self._counters.joined(activator)
        self._has_joined.set()

    def _receive(self, activator: str, frame: Frame) -> None:
        self._tell(self._counters.receive(activator, frame, self._clock()))

    def _lost(self, activator: str) -> None:
        self._counters.lost(activator, self._clock())

    def _tell(self, routes: Iterable[Key]) -> None:
        for route in routes:
            for scaler in self._scalers.get(route, ()):
                scaler.told.set()

    def _changed(self, kind: str, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is None:
            return
        item, routes = key(obj), self._routes[kind]
        if new is None:
            routes.pop(item, None)
        else:
            try:
                routes[item] = read_route(new)
            except InvalidRoute as error:
                # As the gateway: what was there before counts. The status says so.
                log.warning("route cannot be read", extra={"error": str(error)})
        self._follow(item)

    def _follow(self, item: Key) -> None:
        """The one that the gateway follows, where both kinds have the name."""
        found = [routes[item] for routes in self._routes.values() if item in routes]
        if found:
            self._counters.follow(item, found[0].scaling)
        else:
            self._counters.forget(item)
            self._scalers.pop(item, None)
        self._tell([item])


def route_of(metadata: Mapping[str, str], namespace: str) -> tuple[str, Key]:
    """Return which kind of route a trigger's metadata names, and which one."""
    kind = INTERCEPTORROUTE if INTERCEPTORROUTE in metadata else HTTPSCALEDOBJECT
    return kind, (namespace, metadata[kind])

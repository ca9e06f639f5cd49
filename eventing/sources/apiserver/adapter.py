"""Watches what an ApiServerSource names, and sends what happens. The shell, on kopf.

kopf follows kinds that are named at run time, with their lists, watches and retries, and hands
every word of a watch over, one object after the other. Nothing is written to the objects.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Set
from typing import Any, cast

import kopf

from eventing.api.apiserveradapter import AdapterConfig, Watched
from eventing.filters import Filter, compile_filters
from eventing.sources.apiserver.changes import Change, Changes
from eventing.sources.apiserver.events import event_of
from eventing.sources.apiserver.watches import Watches
from eventing.sources.delivery import Delivery
from hearth.kube.access import Access
from hearth.kube.meta import Object, key, key_text

log = logging.getLogger(__name__)

_MOST_IN_FLIGHT = 100
"""Events that the sink has not answered yet; what is told meanwhile waits."""


class Reporter:
    """Sends what happens to the objects of one watched kind."""

    def __init__(
        self,
        config: AdapterConfig,
        watched: Watched,
        delivery: Delivery,
        *,
        watches: Watches,
        slots: asyncio.Semaphore,
    ) -> None:
        self._config = config
        self._watched = watched
        self._delivery = delivery
        self._slots = slots
        self._filter: Filter = compile_filters(config.filters)
        self._watches = watches
        self._changes = Changes()
        self._tasks: set[asyncio.Task[None]] = set()
        watches.on_list(watched, self._listed)

    def _listed(self, uids: Set[str], where: str | None) -> None:
        """What a list does not have any more went while the watch was interrupted."""
        for obj in self._changes.gone(uids, where):
            task = asyncio.create_task(self._report(Change.DELETE, obj), name="gone")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def take(self, told: str | None, obj: Object) -> None:
        """Take one word of the watch; an event that nobody takes is logged and lost."""
        wanted = self._watched.selects(obj) and self._config.is_owned(obj)
        since = self._watches.since
        change = self._changes.take(told, obj, selected=wanted, since=since)
        if change is not None:
            await self._report(change, obj)

    async def _report(self, change: Change, obj: Object) -> None:
        config, delivery = self._config, self._delivery
        event = event_of(
            change,
            obj,
            source=config.source,
            whole=config.whole,
            overrides=delivery.overrides,
        )
        if not self._filter.matches(event.texts()):
            return
        async with self._slots:
            sent = await delivery.send(event)
        if not sent.accepted:
            facts = {"object": key_text(key(obj)), "type": event.text("type"), "said": str(sent)}
            log.error("event not delivered", extra=facts)


def _registry(
    config: AdapterConfig, delivery: Delivery, access: Access, watches: Watches
) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    async def login(**_: Any) -> Any:
        """Called again when what was shown is refused: a token that was renewed meanwhile."""
        session = await watches.session(access)
        return kopf.AiohttpSession(server=access.server, aiohttp_session=session)

    kopf.on.login(registry=registry, id="login")(login)
    slots = asyncio.Semaphore(_MOST_IN_FLIGHT)
    for number, watched in enumerate(config.watched):
        reporter = Reporter(config, watched, delivery, watches=watches, slots=slots)

        async def report(*, event: Any, reporter: Reporter = reporter, **_: Any) -> None:
            await reporter.take(event["type"], event["object"])

        kopf.on.event(
            watched.group,
            watched.version,
            watched.plural,
            registry=registry,
            id=f"{watched.plural}-{number}",
        )(report)
    return registry


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    # Kinds and namespaces are those that the source names: nobody needs the right to list all.
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = None
    return settings


async def watch(
    config: AdapterConfig, delivery: Delivery, access: Access, ready: Callable[[], None]
) -> None:
    """Send what happens, until cancelled; ready once nothing is missed any more."""
    if not config.namespaces and not config.all_namespaces:
        ready()
        await asyncio.Event().wait()  # no namespace has the labels that are asked for
    watches = Watches(config)
    waiting = asyncio.create_task(_announced(watches, ready), name="ready")
    where: dict[str, Any] = {"clusterwide": True}
    if not config.all_namespaces:
        where = {"namespaces": list(config.namespaces)}
    try:
        await kopf.operator(
            registry=_registry(config, delivery, access, watches),
            settings=_settings(),
            standalone=True,
            # Else kopf asks who the user is, and in a container that is a number without a name.
            identity=cast("Any", "hearth-apiserversource"),
            **where,
        )
    finally:
        waiting.cancel()


async def _announced(watches: Watches, ready: Callable[[], None]) -> None:
    await watches.complete.wait()
    ready()

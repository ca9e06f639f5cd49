"""kopf's part: it follows the objects, keeps KEDA's finalizer on them, and runs a daemon for each.

Nothing of kopf is written to objects: its finalizer is named as KEDA's is, daemons and raw events
keep no state, and what would note a touch notes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import kopf

from hearth.keda.api import keys
from hearth.keda.operator.authentications import KINDS, Authentications
from hearth.keda.operator.daemon import ObjectDaemon
from hearth.keda.operator.environment import Environment
from hearth.keda.operator.scaledjobs import ScaledJobDaemon
from hearth.keda.operator.scaledobjects import ScaledObjectDaemon
from hearth.kube.access import Access
from hearth.kube.guards import caught
from hearth.kube.meta import Object, is_deleting, key, name, namespace
from hearth.kube.resources import Resource
from hearth.kube.sessions import open_session

_DAEMONS: dict[Resource, type[ObjectDaemon]] = {
    keys.SCALEDOBJECTS: ScaledObjectDaemon,
    keys.SCALEDJOBS: ScaledJobDaemon,
}
_FINISH_SECONDS = 60.0
"""Longer than a daemon takes to end: else kopf would have to look again, which is a write."""


class _Nothing(kopf.ProgressStorage):
    """Keeps no state on objects: there are no handlers whose progress it would be."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


class Adapter:
    """Handlers for the kinds that are followed."""

    def __init__(
        self, environment: Environment, access: Access, authentications: Authentications
    ) -> None:
        self._env = environment
        self._access = access
        self._authentications = authentications
        self._seen: dict[tuple[str, tuple[str, str]], Object] = {}

    async def run(self, started: asyncio.Event) -> None:
        """Follow until cancelled."""
        # Not ``kopf.operator``: at its end that cancels all that has begun in the loop meanwhile.
        tasks = await kopf.spawn_tasks(
            registry=self._registry(),
            settings=_settings(),
            standalone=True,
            clusterwide=True,
            ready_flag=started,
            # Else kopf asks who the user is, and in a container that is a number without a name.
            identity=cast("Any", "hearth-keda"),
        )
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in done:
            task.result()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        async def login(**_: Any) -> Any:
            """Called again when what was shown is refused: a token that was renewed meanwhile."""
            session = await open_session(self._access)
            return kopf.AiohttpSession(server=self._access.server, aiohttp_session=session)

        kopf.on.login(registry=registry, id="login")(login)
        for resource, make in _DAEMONS.items():
            self._register(registry, resource, make)
        for resource in KINDS.values():
            self._follow(registry, resource)
        return registry

    def _register(
        self, registry: kopf.OperatorRegistry, resource: Resource, make: type[ObjectDaemon]
    ) -> None:
        kind = resource.kind

        def note(told: str | None, obj: Object) -> None:
            self._authentications.user_changed(resource, told, obj)
            if told == "DELETED":
                self._seen.pop((kind, key(obj)), None)
                return
            self._seen[kind, key(obj)] = obj
            daemon = self._env.daemons.get((kind, key(obj)))
            if daemon is not None:
                daemon.note(obj)

        async def live(*, namespace: str | None, name: str, stopped: Any, **_: Any) -> None:
            await self._live(kind, (namespace or "", name), make, stopped)

        _on_event(registry, resource, note)
        _daemon(registry, resource, live)

    async def _live(
        self, kind: str, item: tuple[str, str], make: type[ObjectDaemon], stopped: Any
    ) -> None:
        """Run a daemon until kopf says to stop: the object is deleted, or the process ends."""
        obj = self._seen.get((kind, item))
        if obj is None:
            return
        daemon = self._env.daemons[kind, item] = make(self._env, obj)
        running = asyncio.create_task(daemon.run(), name=f"keda-{kind}-{'/'.join(item)}")
        try:
            await stopped.wait()
        finally:
            running.cancel()
            await asyncio.wait({running})
            self._env.daemons.pop((kind, item), None)
        if is_deleting(daemon.object):
            try:
                await daemon.finish()
            except Exception:
                caught("keda", item)

    def _follow(self, registry: kopf.OperatorRegistry, resource: Resource) -> None:
        """An authentication: who uses it looks anew when it changes, and it says who does."""

        def note(told: str | None, obj: Object) -> None:
            if self._authentications.note(resource, told, obj):
                self._env.recheck((resource.kind, name(obj)), namespace(obj))

        async def live(*, body: Any, stopped: Any, **_: Any) -> None:
            """That there is a daemon is why kopf keeps the finalizer on it."""
            await stopped.wait()
            obj = dict(body)
            if is_deleting(obj):
                self._authentications.gone(obj)

        _on_event(registry, resource, note)
        _daemon(registry, resource, live)


def _on_event(
    registry: kopf.OperatorRegistry,
    resource: Resource,
    note: Callable[[str | None, Object], None],
) -> None:
    async def take(*, event: Any, **_: Any) -> None:
        # kopf keeps this very object as long as it lives: who set which field is half of it.
        event["object"]["metadata"].pop("managedFields", None)
        note(event["type"], event["object"])

    kopf.on.event(
        resource.group,
        resource.version,
        resource.plural,
        registry=registry,
        id=f"{resource.plural}-event",
    )(take)


def _daemon(registry: kopf.OperatorRegistry, resource: Resource, live: Any) -> None:
    kopf.daemon(
        resource.group,
        resource.version,
        resource.plural,
        registry=registry,
        id=f"{resource.plural}-daemon",
    )(live)


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.persistence.finalizer = keys.FINALIZER
    settings.persistence.progress_storage = _Nothing()
    settings.background.instant_exit_timeout = _FINISH_SECONDS
    # Kinds are known: nobody needs the right to list all.
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = None
    return settings

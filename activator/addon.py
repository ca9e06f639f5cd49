"""KEDA's HTTP add-on in the gateway: its kinds watched, read into routes, and their status.

The kinds are looked for until they are served, and watched from then on; ConfigMaps with bodies
are, once a route sends one. A route that cannot be followed says so in its status and leaves what
was routed before in place. Where an InterceptorRoute and an HTTPScaledObject have one name the
former counts, and where a KIngress has a host the KIngress does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from activator.addonroutes import AddonRoutes
from activator.backends import Backend, Backends
from activator.policies import (
    AddonSettings,
    Policy,
    RouteCounts,
    policy_of,
    target_ref,
    target_spec,
)
from activator.routes import BackendRef, HostRoutes
from hearth.keda.api.httproutes import HttpRoute, Object, read_route, with_ready
from hearth.keda.api.keys import HTTPSCALEDOBJECTS, INTERCEPTORROUTES, RESPONSE_BODY_LABEL
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, rfc3339, wall_clock
from hearth.kube.controller import Controller
from hearth.kube.errors import ApiError, Forbidden, NotFound
from hearth.kube.meta import Key, generation, key, key_text
from hearth.kube.resources import CONFIGMAPS, Resource, resources_of

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0
_LOOK_SECONDS = 0.01
_STATUS_WORKERS = 4

Holder = Callable[[bytes], Key | None]
"""The KIngress that has a host."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A route that is followed."""

    route: HttpRoute
    policy: Policy
    target: Backend


class Addon:
    """``run`` follows the add-on's kinds until cancelled."""

    def __init__(
        self,
        client: KubeClient,
        backends: Backends,
        settings: AddonSettings,
        changed: Callable[[], None],
        *,
        holder: Holder,
        wall: Clock = wall_clock,
    ) -> None:
        """``changed`` is to publish the routes soon, and then to call ``published``."""
        namespace = settings.namespace or None
        self._client = client
        self._backends = backends
        self._settings = settings
        self._publish = changed
        self._holder = holder
        self._wall = wall
        self._routes = WatchCache(client, INTERCEPTORROUTES, namespace=namespace)
        self._scaled = WatchCache(client, HTTPSCALEDOBJECTS, namespace=namespace)
        self._bodies = WatchCache(
            client, CONFIGMAPS, namespace=namespace, label_selector=f"{RESPONSE_BODY_LABEL}=true"
        )
        self._table: AddonRoutes[Backend] = AddonRoutes()
        self._followed: dict[Key, Followed] = {}
        self._invalid: dict[Key, str] = {}
        self._unpublished: set[Key] = set()
        # Routes one of whose hosts a KIngress has.
        self._held: set[Key] = set()
        self._is_looked_for = {cache: asyncio.Event() for cache in (self._routes, self._scaled)}
        self._wants_bodies = asyncio.Event()
        # There is a route, or there was one.
        self.is_used = asyncio.Event()
        self._status = Controller("route-status", self._write_status, workers=_STATUS_WORKERS)
        for cache in self._is_looked_for:
            cache.on_change(self._changed)

    # -- what the gateway asks ----------------------------------------------------------------

    @property
    def hosts(self) -> Mapping[bytes, HostRoutes[Backend]]:
        """The routes as they are now."""
        return self._table.hosts

    def followed(self) -> list[Followed]:
        """All routes; may be asked by any thread."""
        return list(self._followed.values())

    def references(self) -> frozenset[BackendRef]:
        """Everything that the routes lead to."""
        return frozenset[BackendRef]().union(
            *({each.target.ref, *each.policy.references()} for each in self._followed.values())
        )

    def configure(self, backend: Backend) -> None:
        """Give a backend the limits of its route."""
        ref = backend.ref
        followed = self._followed.get((ref.namespace, ref.route))
        if followed is None:
            return
        spec = target_spec(followed.route, self._settings)
        if ref.is_counted:
            backend.policy = followed.policy
            backend.configure(spec)
        else:
            backend.spec = spec

    # -- changes ------------------------------------------------------------------------------

    def _changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is None or (old is not None and new is not None and _is_same(old, new)):
            return
        item = key(obj)
        effective = self._routes.get(*item) or self._scaled.get(*item)
        self._invalid.pop(item, None)
        if effective is None:
            self._forget(item)
        else:
            self.is_used.set()
            self._take_over(item, effective)
        self._unpublished.add(item)
        self._publish()

    def _take_over(self, item: Key, obj: Object) -> None:
        known = self._followed.get(item)
        try:
            route = read_route(obj)
            counts = known.policy.counts if known is not None else RouteCounts()
            policy = policy_of(route, self._settings, self._data, counts)
            target = self._backends.resolve(target_ref(route))
            self._table.put(route, target)
        except ValueError as error:
            self._invalid[item] = str(error)
            log.warning(
                "route cannot be followed", extra={"key": key_text(item), "error": str(error)}
            )
            return
        self._followed[item] = Followed(route, policy, target)
        if known is not None and known.target is not target:
            known.target.retire()
        self.configure(target)
        if policy.uncounted is not None:
            self.configure(self._backends.resolve(policy.uncounted))
        if any(answer.config_map for answer in policy.answers()):
            self._wants_bodies.set()

    def _forget(self, item: Key) -> None:
        self._table.remove(*item)
        known = self._followed.pop(item, None)
        if known is not None:
            known.target.retire()

    def _data(self, namespace: str, name: str) -> Mapping[str, str] | None:
        found = self._bodies.get(namespace, name)
        return None if found is None else found.get("data") or {}

    # -- status -------------------------------------------------------------------------------

    def published(self) -> None:
        """The routes are in use: their status may say so."""
        held = {
            owner
            for host in self._table.hosts
            if self._holder(host) is not None
            for owner in self._table.owners_of(host)
        }
        unpublished = self._unpublished | (held ^ self._held)
        self._unpublished, self._held = set(), held
        for item in unpublished:
            self._status.queue.add(item)

    async def _write_status(self, item: Key) -> float | None:
        """That of InterceptorRoutes; an HTTPScaledObject's is its operator's."""
        obj = self._routes.get(*item)
        if obj is None:
            return None
        given = obj.get("status") or {}
        reason, message = self._problem(item) or ("Reconciled", "InterceptorRoute reconciled")
        conditions = with_ready(
            given.get("conditions"),
            is_ready=reason == "Reconciled",
            reason=reason,
            message=message,
            generation=generation(obj),
            now=rfc3339(self._wall()),
        )
        if conditions != given.get("conditions"):
            status = {**given, "conditions": conditions}
            try:
                written = await self._client.update_status(
                    INTERCEPTORROUTES, {**obj, "status": status}
                )
            except NotFound:
                return None
            self._routes.put(written)
        return None

    def _problem(self, item: Key) -> tuple[str, str] | None:
        refusal = self._invalid.get(item)
        if refusal is not None:
            return "InvalidRoute", refusal
        for host in sorted(self._table.hosts_of(item)):
            holder = self._holder(host)
            if holder is not None:
                return "HostConflict", f"host {host.decode()!r} is routed by {key_text(holder)}"
        return None

    # -- life ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look for the kinds, and follow them once they are there."""
        async with asyncio.TaskGroup() as group:
            for cache in self._is_looked_for:
                group.create_task(self._follow(cache), name=f"watch-{cache.resource.plural}")
            group.create_task(self._follow_bodies(), name="watch-response-bodies")
            group.create_task(self._status.run(), name="route-status")

    async def synced(self) -> None:
        """Until what there is has been read; where the kinds are not there, until that is known."""
        for looked_for in self._is_looked_for.values():
            await looked_for.wait()
        if self._wants_bodies.is_set():
            await self._bodies.synced()

    async def _follow(self, cache: WatchCache) -> None:
        pause = _FIRST_PAUSE
        while not await self._is_served(cache.resource):
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        async with asyncio.TaskGroup() as group:
            group.create_task(cache.run(), name=f"cache-{cache.resource.plural}")
            # Who may not read them serves other routes all the same.
            while not (cache.is_synced or isinstance(cache.failure, Forbidden)):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_SECONDS)
            self._is_looked_for[cache].set()

    async def _is_served(self, resource: Resource) -> bool:
        try:
            served = await self._client.request("GET", f"/apis/{resource.api_version}")
        except (NotFound, Forbidden):
            served = None
        except ApiError:
            return False
        is_served = served is not None and resource in resources_of(served)
        if not is_served:
            self._is_looked_for_done(resource)
        return is_served

    def _is_looked_for_done(self, resource: Resource) -> None:
        for cache, looked_for in self._is_looked_for.items():
            if cache.resource == resource:
                looked_for.set()

    async def _follow_bodies(self) -> None:
        await self._wants_bodies.wait()
        await self._bodies.run()


def _is_same(old: Object, new: Object) -> bool:
    """Whether only the status has changed, and that was us."""
    mine, yours = old["metadata"], new["metadata"]
    return (mine.get("uid"), mine.get("generation")) == (yours.get("uid"), yours.get("generation"))

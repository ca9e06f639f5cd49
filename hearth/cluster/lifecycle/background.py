"""What the in-process controllers share: a work queue over the store, and writes of their own.

Garbage collection, namespaces, custom resource definitions and the housekeeping are controllers
that run inside the server: they read the state in memory and write like any client, under names
of their own, without HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from hearth.cluster.model import status
from hearth.cluster.model.objects import Entry, Key, Object
from hearth.cluster.model.served import Served
from hearth.cluster.model.user import User
from hearth.cluster.operations import deletes, writes
from hearth.cluster.operations.api import Api
from hearth.cluster.operations.options import DeleteOptions, WriteOptions
from hearth.cluster.operations.writes import Write
from hearth.cluster.store.store import StaleWrite, StoreError
from hearth.kube.guards import caught
from hearth.kube.queue import WorkQueue

log = logging.getLogger(__name__)
K = TypeVar("K", bound=Hashable)
MANAGER = "kube-controller-manager"
"""The field manager that Kubernetes' own controllers write under."""


class Worker(Generic[K]):
    """Works on keys one after the other; a failed one waits and is tried again."""

    def __init__(self, name: str, work: Callable[[K], Awaitable[None]]) -> None:
        self._name = name
        self._work = work
        self._queue: WorkQueue[K] = WorkQueue()

    def add(self, key: K) -> None:
        """Puts a key on the queue, once."""
        self._queue.add(key)

    async def run(self) -> None:
        """Works until it is cancelled."""
        try:
            while True:
                key = await self._queue.get()
                try:
                    await self._once(key)
                finally:
                    self._queue.done(key)
        finally:
            self._queue.close()

    async def _once(self, key: K) -> None:
        facts = {"controller": self._name, "key": str(key)}
        try:
            await self._work(key)
        except (status.ApiStatus, StoreError) as error:
            delay = self._queue.retry(key)
            log.info("try again later", extra=facts | {"error": str(error), "retry_in": delay})
        except Exception:
            caught(self._name)
            log.info("try again later", extra=facts | {"retry_in": self._queue.retry(key)})
        else:
            self._queue.forget(key)
            await asyncio.sleep(0)  # requests have their turn between two keys


def controller_user(name: str) -> User:
    """The ServiceAccount that a controller of Kubernetes writes as."""
    groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system")
    user = f"system:serviceaccount:kube-system:{name}"
    return User(user, groups=(*groups, "system:authenticated"))


def make_write(api: Api, served: Served, key: Key, user: User) -> Write:
    """A write of a controller, without options of a client."""
    return Write(
        api=api,
        served=served,
        namespace=key.namespace,
        name=key.name,
        subresource="",
        options=WriteOptions(),
        manager=MANAGER,
        user=user,
        warnings=[],
    )


async def create(api: Api, key: Key, obj: Object, user: User) -> None:
    """Creates an object as a client would; one that is there already is left alone."""
    served = api.kinds.by_resource(key.resource)
    if served is None or api.store.get(key) is not None:
        return
    try:
        await writes.create(make_write(api, served, key, user), obj)
    except status.ApiStatus as refusal:
        if refusal.reason != "AlreadyExists":
            raise


async def delete(api: Api, entry: Entry, user: User, *, policy: str = "") -> None:
    """Deletes an object as a client would, if it is still the same one."""
    served = api.kinds.by_resource(entry.key.resource)
    if served is None:
        return
    options = DeleteOptions(propagation_policy=policy, uid=entry.uid)
    try:
        await deletes.delete(make_write(api, served, entry.key, user), options)
    except status.ApiStatus as refusal:
        if refusal.code not in (404, 409):  # gone, or another one by now
            raise


async def mutate(api: Api, key: Key, change: Callable[[Object], Object | None]) -> Entry | None:
    """Changes an object on top of its newest state; ``change`` gives None to leave it.

    An object that waits for deletion goes when its last finalizer does.
    """
    while (entry := await api.store.settled(key)) is not None:
        changed = change(entry.parse())
        if changed is None:
            return entry
        try:
            if writes.is_released(changed):
                return await api.store.delete(key, changed, expected=entry.revision)
            return await api.store.put(key, changed, expected=entry.revision)
        except StaleWrite:
            continue
    return None


def without_finalizer(finalizer: str) -> Callable[[Object], Object | None]:
    """A change for ``mutate`` that takes a finalizer off."""

    def change(obj: Object) -> Object | None:
        finalizers = obj["metadata"].get("finalizers") or []
        if finalizer not in finalizers:
            return None
        kept = [f for f in finalizers if f != finalizer]
        if kept:
            obj["metadata"]["finalizers"] = kept
        else:
            del obj["metadata"]["finalizers"]
        return obj

    return change

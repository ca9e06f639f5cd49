"""ResourceQuotas: asked by every write, their status kept.

The ledger is made of the objects at the start and follows every change; without quotas nothing is
followed, and a write pays for one look at an empty dictionary. The status is written behind the
changes, several at once: nothing is decided by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hearth.cluster.admission.attempt import Attempt
from hearth.cluster.lifecycle import background
from hearth.cluster.lifecycle.background import Worker
from hearth.cluster.model import status
from hearth.cluster.model.objects import Change, Entry, Key, Object
from hearth.cluster.operations.api import Api
from hearth.cluster.quota.amounts import Amounts
from hearth.cluster.quota.check import Quota, Refused, read_quota
from hearth.cluster.quota.ledger import Ledger
from hearth.cluster.quota.usage import PODS, is_charged

QUOTAS = "resourcequotas"
_RECOUNT_SECONDS = 60.0
"""A pod that should have ended by now stops to count without a change."""


class Quotas:
    """The quotas of all namespaces; in the ledger from the moment they are stored."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._ledger = Ledger()
        self._worker: Worker[Key] = Worker("resource-quotas", self._write_status)
        self._unfollow: Callable[[], None] | None = None

    def admit(self, attempt: Attempt) -> None:
        """Holds what a write will use; 403 where there is no room. Nothing waits in between."""
        if not self._ledger or attempt.subresource or attempt.obj is None:
            return
        resource = attempt.kind.group_resource
        if not is_charged(resource, attempt.operation, attempt.obj, attempt.old):
            return
        key = Key(resource, attempt.namespace, attempt.name)
        try:
            release = self._ledger.reserve(key, attempt.obj, self._api.clock())
        except Refused as why:
            kind = attempt.kind
            raise status.forbidden(kind.group, kind.plural, attempt.name, why=str(why)) from None
        attempt.releases.append(release)

    def prepare(self) -> Callable[[], None]:
        """Opens the books, before the first request; returns how to stop."""
        stop = self._api.store.listen(QUOTAS, self._quota_changed)
        for entry in self._api.store.state.entries(QUOTAS):
            self._open(entry.key, read_quota(entry.parse()))

        def stop_all() -> None:
            stop()
            self._follow(False)

        return stop_all

    async def run(self) -> None:
        """Keeps the statuses, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._worker.run(), name="quota-status")
            while True:
                await asyncio.sleep(_RECOUNT_SECONDS)
                for entry in self._api.store.state.entries(QUOTAS):
                    for pod in self._api.store.state.entries(PODS, entry.key.namespace):
                        if pod.deleting:
                            self._count(pod)
                    await asyncio.sleep(0)

    # -- the ledger ------------------------------------------------------------------------

    def _quota_changed(self, change: Change) -> None:
        key = change.now.key
        if change.deleted:
            self._ledger.close(key)
            self._follow(bool(self._ledger))
            return
        quota, book = read_quota(change.now.parse()), self._ledger.book(key)
        if book is None or book.quota != quota:
            self._open(key, quota)

    def _open(self, key: Key, quota: Quota) -> None:
        book = self._ledger.open(key, quota)
        now = self._api.clock()
        for resource in quota.resources:
            for entry in self._api.store.state.entries(resource, key.namespace):
                book.count(entry.key, entry.parse(), now)
        self._follow(True)
        self._worker.add(key)

    def _follow(self, is_wanted: bool) -> None:
        if is_wanted and self._unfollow is None:
            self._unfollow = self._api.store.listen_to_all(self._changed)
        elif not is_wanted and self._unfollow is not None:
            self._unfollow()
            self._unfollow = None

    def _changed(self, change: Change) -> None:
        self._count(change.now, is_gone=change.deleted)

    def _count(self, entry: Entry, *, is_gone: bool = False) -> None:
        key = entry.key
        for book in self._ledger.books(key.namespace):
            if key.resource in book.quota.resources:
                obj = None if is_gone else entry.parse()
                if book.count(key, obj, self._api.clock()):
                    self._worker.add(Key(QUOTAS, key.namespace, book.quota.name))

    # -- the status ------------------------------------------------------------------------

    async def _write_status(self, key: Key) -> None:
        def change(obj: Object) -> Object | None:
            book = self._ledger.book(key)
            if book is None:
                return None
            told = {"hard": _texts(book.quota.hard), "used": _texts(book.total_used())}
            if obj.get("status") == told:
                return None
            return {**obj, "status": told}

        await background.mutate(self._api, key, change)


def _texts(amounts: Amounts) -> dict[str, str]:
    return {name: str(quantity) for name, quantity in sorted(amounts.items())}

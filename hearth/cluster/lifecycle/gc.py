"""Garbage collection: what becomes of objects whose owners are deleted.

Runs inside the server on the state in memory. The rules are Kubernetes': an object goes when all
its owners are gone; ``orphan`` cuts the dependents loose first; ``foregroundDeletion`` waits for
those that block the owner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from hearth.cluster.lifecycle import background
from hearth.cluster.lifecycle.background import Worker, controller_user
from hearth.cluster.model.objects import Change, Entry, Key, Object, Owner
from hearth.cluster.operations.api import Api
from hearth.cluster.operations.deletes import FOREGROUND, ORPHAN

_USER = controller_user("generic-garbage-collector")


class Fate(Enum):
    """What is to be done with a dependent."""

    KEEP = "it has an owner, or needs none"
    UNLINK = "some owners are gone, others are not"
    DELETE = "no owner is left"
    DELETE_FOREGROUND = "its owner waits for it, and it has dependents itself"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``gone`` are the uids of owners that no longer hold the object."""

    fate: Fate
    gone: frozenset[str] = frozenset()


def judge(entry: Entry, find: Callable[[str], Entry | None], *, has_dependents: bool) -> Verdict:
    """The fate of an object, by the state of its owners. Pure."""
    if not entry.owners:
        return Verdict(Fate.KEEP)
    gone, waiting = set[str](), set[str]()
    for owner in entry.owners:
        owning = find(owner.uid)
        if owning is None or not _may_own(owning, entry):
            gone.add(owner.uid)
        elif owning.deleting and FOREGROUND in owning.finalizers:
            waiting.add(owner.uid)
    leaving = frozenset(gone | waiting)
    if not leaving:
        return Verdict(Fate.KEEP)
    if any(owner.uid not in leaving for owner in entry.owners):
        return Verdict(Fate.UNLINK, leaving)
    if waiting and has_dependents:
        return Verdict(Fate.DELETE_FOREGROUND)
    return Verdict(Fate.DELETE)


def _may_own(owner: Entry, dependent: Entry) -> bool:
    """Owners are cluster-scoped or in the same namespace.

    What is cluster-scoped itself stays even with an owner it should not have.
    """
    return not dependent.key.namespace or owner.key.namespace in ("", dependent.key.namespace)


def blocking(owner: Entry, dependents: list[Entry]) -> list[Entry]:
    """The dependents that a foreground deletion waits for. Pure."""

    def blocks(reference: Owner) -> bool:
        return reference.uid == owner.uid and reference.blocks

    return [entry for entry in dependents if any(map(blocks, entry.owners))]


def unlinked(obj: Object, uids: frozenset[str]) -> Object | None:
    """The object without references to these owners; None where it has none. Pure."""
    references = obj["metadata"].get("ownerReferences") or []
    kept = [reference for reference in references if reference.get("uid") not in uids]
    if len(kept) == len(references):
        return None
    if kept:
        obj["metadata"]["ownerReferences"] = kept
    else:
        del obj["metadata"]["ownerReferences"]
    return obj


class GarbageCollector:
    """Follows every change of the store."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._state = api.store.state
        self._worker: Worker[Key] = Worker("garbage-collector", self._process)

    async def run(self) -> None:
        """Works until it is cancelled, first on what was left over when the server stopped."""
        stop = self._api.store.listen_to_all(self._changed)
        try:
            self._look_at_everything()
            await self._worker.run()
        finally:
            stop()

    def _look_at_everything(self) -> None:
        for resource in self._state.resources():
            for entry in self._state.entries(resource):
                if entry.owners or self._is_waiting(entry):
                    self._worker.add(entry.key)

    def _is_waiting(self, entry: Entry) -> bool:
        return entry.deleting and bool({ORPHAN, FOREGROUND} & set(entry.finalizers))

    def _changed(self, change: Change) -> None:
        if change.deleted:
            self._removed(change.now)
        elif self._is_waiting(change.now) or self._has_lost_owner(change.now):
            self._worker.add(change.now.key)

    def _has_lost_owner(self, entry: Entry) -> bool:
        return any(self._state.by_uid(owner.uid) is None for owner in entry.owners)

    def _removed(self, entry: Entry) -> None:
        for dependent in self._state.dependents(entry.uid):
            self._worker.add(dependent.key)
        for owner in entry.owners:
            owner_entry = self._state.by_uid(owner.uid)
            if owner_entry is not None and self._is_waiting(owner_entry):
                self._worker.add(owner_entry.key)

    async def _process(self, key: Key) -> None:
        entry = await self._api.store.settled(key)
        if entry is None:
            return
        if entry.deleting and ORPHAN in entry.finalizers:
            await self._orphan(entry)
        elif entry.deleting and FOREGROUND in entry.finalizers:
            await self._foreground(entry)
        else:
            await self._dependent(entry)

    async def _orphan(self, owner: Entry) -> None:
        uids = frozenset([owner.uid])
        for dependent in self._state.dependents(owner.uid):
            await background.mutate(self._api, dependent.key, lambda obj: unlinked(obj, uids))
        await background.mutate(self._api, owner.key, background.without_finalizer(ORPHAN))

    async def _foreground(self, owner: Entry) -> None:
        dependents = [d for d in self._state.dependents(owner.uid) if _may_own(owner, d)]
        if not blocking(owner, dependents):
            await background.mutate(self._api, owner.key, background.without_finalizer(FOREGROUND))
            return
        for dependent in dependents:
            self._worker.add(dependent.key)

    async def _dependent(self, entry: Entry) -> None:
        has_dependents = bool(self._state.dependents(entry.uid))
        verdict = judge(entry, self._state.by_uid, has_dependents=has_dependents)
        match verdict.fate:
            case Fate.KEEP:
                return
            case Fate.UNLINK:
                await background.mutate(
                    self._api, entry.key, lambda obj: unlinked(obj, verdict.gone)
                )
            case Fate.DELETE_FOREGROUND:
                await background.delete(self._api, entry, _USER, policy="Foreground")
            case Fate.DELETE:
                policy = "" if {ORPHAN, FOREGROUND} & set(entry.finalizers) else "Background"
                if not entry.deleting:
                    await background.delete(self._api, entry, _USER, policy=policy)

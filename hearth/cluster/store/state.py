"""The current state in memory: objects by place, by uid and by owner. Pure.

``Store`` applies committed changes to it and reads from it; nothing else writes.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from operator import attrgetter

from hearth.cluster.model.objects import Change, Entry, Key
from hearth.kube.multimap import Multimap

_path = attrgetter("path")  # the order of lists


class Collection:
    """The objects of one resource, in the order of their paths."""

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}
        self._keys: list[Key] = []

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key: Key) -> Entry | None:
        """The object under a key, or None."""
        return self._entries.get(key)

    def put(self, entry: Entry) -> None:
        """Adds an object or replaces the one under its key."""
        if entry.key not in self._entries:
            insort(self._keys, entry.key, key=_path)
        self._entries[entry.key] = entry

    def remove(self, key: Key) -> None:
        """Removes the object under a key, if there is one."""
        if self._entries.pop(key, None) is not None:
            del self._keys[self._place(key.path)]

    def entries(self, namespace: str = "", after: str = "") -> list[Entry]:
        """In order; of one namespace, and behind a path, where these are given."""
        start, end = 0, len(self._keys)
        if namespace:
            start = self._place(namespace + "/")
            end = self._place(namespace + "0")  # "0" follows "/"
        if after:
            start = max(start, self._place(after + "\0"))
        return [self._entries[key] for key in self._keys[start:end]]

    def _place(self, path: str) -> int:
        return bisect_left(self._keys, path, key=_path)


class State:
    """All collections with their indexes."""

    def __init__(self) -> None:
        self._collections: dict[str, Collection] = {}
        self._by_uid: dict[str, Key] = {}
        self._dependents = Multimap[str, Key]()

    def get(self, key: Key) -> Entry | None:
        """The object under a key, or None."""
        collection = self._collections.get(key.resource)
        return collection.get(key) if collection else None

    def entries(self, resource: str, namespace: str = "", *, after: str = "") -> list[Entry]:
        """The objects of a resource, as ``Collection.entries`` gives them."""
        collection = self._collections.get(resource)
        return collection.entries(namespace, after) if collection else []

    def count(self, resource: str) -> int:
        """The number of objects of a resource."""
        collection = self._collections.get(resource)
        return len(collection) if collection else 0

    def resources(self) -> list[str]:
        """The resources that have objects."""
        return [name for name, collection in self._collections.items() if len(collection)]

    def by_uid(self, uid: str) -> Entry | None:
        """The object with this uid, or None."""
        key = self._by_uid.get(uid)
        return self.get(key) if key else None

    def dependents(self, uid: str) -> list[Entry]:
        """Objects with an owner reference to this uid."""
        keys = sorted(self._dependents.get(uid))
        return [entry for key in keys if (entry := self.get(key)) is not None]

    def owner_uids(self) -> list[str]:
        """The uids that some object names as its owner."""
        return self._dependents.values()

    def apply(self, change: Change) -> None:
        """Takes a committed change into collections and indexes."""
        if change.before is not None:
            self._unindex(change.before)
        if change.deleted:
            self._collection(change.now.key.resource).remove(change.now.key)
        else:
            self._collection(change.now.key.resource).put(change.now)
            self._index(change.now)

    def _collection(self, resource: str) -> Collection:
        return self._collections.setdefault(resource, Collection())

    def _index(self, entry: Entry) -> None:
        if entry.uid:
            self._by_uid[entry.uid] = entry.key
        for owner in entry.owners:
            self._dependents.add(owner.uid, entry.key)

    def _unindex(self, entry: Entry) -> None:
        if self._by_uid.get(entry.uid) == entry.key:
            del self._by_uid[entry.uid]
        for owner in entry.owners:
            self._dependents.remove(owner.uid, entry.key)


def rewind(entries: list[Entry], changes: Sequence[Change]) -> list[Entry]:
    """The entries as they were before the changes; both are in order, of path and revision."""
    before = {change.now.key: change.before for change in reversed(changes)}
    if not before:
        return entries
    result = [entry for entry in entries if entry.key not in before]
    for entry in before.values():
        if entry is not None:
            insort(result, entry, key=lambda other: other.key.path)
    return result

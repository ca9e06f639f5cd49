"""An API server that is dictionaries, as far as controllers notice: no sockets, no threads.

It has versions and conflicts, generations, statuses apart from specs, finalizers, uids as
preconditions, admission, watches that can be resumed, and takes along what has lost its owner.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hearth.kube.client import WatchEvent
from hearth.kube.clock import Clock, rfc3339
from hearth.kube.errors import error_for
from hearth.kube.meta import (
    Key,
    Object,
    copied,
    finalizers,
    generation,
    is_deleting,
    key,
    labels,
    metadata,
    name,
    resource_version,
    uid,
)
from hearth.kube.patch import merge_patch
from hearth.kube.resources import EVENTS, LEASES, Resource
from hearth.kube.selectors import LabelSelector

Admit = Callable[[Resource, Object, Object | None, str], Object]
"""Completes an object, given what was there and who writes; raises what refuses it."""
UNCOUNTED = (EVENTS, LEASES)
"""What is written whether or not there is something to do."""
Look = Callable[[Resource, Object | None, Object | None], None]


def fault(code: int, reason: str, message: str = "") -> Exception:
    return error_for({"code": code, "reason": reason, "message": message or reason})


@dataclass(slots=True)
class Kept:
    """The objects of one resource and what became of them."""

    objects: dict[Key, Object] = field(default_factory=dict)
    log: list[tuple[int, Object | None, Object | None]] = field(default_factory=list)
    """Version, before, after."""
    news: asyncio.Event = field(default_factory=asyncio.Event)


class MemoryApi:
    """What is stored. Objects that are handed out are shared: nobody changes them."""

    def __init__(self, clock: Clock, admit: Admit = lambda _r, obj, _old, _user: obj) -> None:
        self.kept: defaultdict[Resource, Kept] = defaultdict(Kept)
        self.version = 1
        self.writes: list[tuple[int, str, str, str]] = []
        """Version, who, kind and name of each change; Events and Leases apart."""
        self.looks: list[Look] = []
        """Told of each change."""
        self._clock = clock
        self._admit = admit
        self._uids: set[str] = set()

    def get(self, resource: Resource, where: str, title: str) -> Object | None:
        return self.kept[resource].objects.get((where, title))

    def all(self, resource: Resource) -> list[Object]:
        return list(self.kept[resource].objects.values())

    def the(self, resource: Resource, where: str, title: str) -> Object:
        found = self.get(resource, where, title)
        if found is None:
            raise fault(404, "NotFound", f'{resource.plural} "{title}" not found')
        return found

    # -- writing ---------------------------------------------------------------------------

    def create(self, resource: Resource, obj: Object, user: str) -> Object:
        if key(obj) in self.kept[resource].objects:
            raise fault(409, "AlreadyExists", f'{resource.plural} "{name(obj)}" already exists')
        made = self._admit(resource, copied(obj), None, user)
        made.pop("status", None)
        about = {
            "uid": f"uid-{self.version}",
            "generation": 1,
            "creationTimestamp": rfc3339(self._clock()),
        }
        made = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            **made,
            "metadata": {**made["metadata"], **about},
        }
        return self._store(resource, None, made, user)

    def update(self, resource: Resource, obj: Object, user: str, subresource: str = "") -> Object:
        known = self.the(resource, *key(obj))
        if resource_version(obj) not in ("", resource_version(known)):
            raise fault(409, "Conflict", "the object has been modified")
        if uid(obj) not in ("", uid(known)):
            raise fault(409, "Conflict", "the UID in the precondition is another")
        if subresource == "status":
            changed = {**known, "status": copied(obj.get("status"))}
        else:
            changed = copied({k: v for k, v in obj.items() if k != "status"})
            changed = self._admit(resource, changed, known, user)
            fixed = ("uid", "generation", "creationTimestamp", "deletionTimestamp")
            own = {k: metadata(known)[k] for k in fixed if k in metadata(known)}
            changed["metadata"] = {**changed["metadata"], **own}
            if "status" in known:
                changed["status"] = known["status"]
            if changed.get("spec") != known.get("spec"):
                changed["metadata"]["generation"] = generation(known) + 1
        return self._store(resource, known, changed, user)

    def patch(
        self, resource: Resource, where: Key, patch: Any, user: str, subresource: str = ""
    ) -> Object:
        known = self.the(resource, *where)
        return self.update(resource, merge_patch(known, patch), user, subresource)

    def delete(self, resource: Resource, where: Key, user: str, wanted: str | None = None) -> None:
        known = self.the(resource, *where)
        if wanted not in (None, uid(known)):
            raise fault(409, "Conflict", "the UID in the precondition is another")
        if finalizers(known):
            gone = {**metadata(known), "deletionTimestamp": rfc3339(self._clock())}
            self._store(resource, known, {**known, "metadata": gone}, user)
        else:
            self._store(resource, known, None, user)

    def _store(
        self, resource: Resource, old: Object | None, new: Object | None, user: str
    ) -> Object:
        if old is not None and new is not None:
            if is_deleting(new) and not finalizers(new):
                new = None
            elif _versionless(old) == _versionless(new):
                return old
        kept, about = self.kept[resource], new or old
        assert about is not None
        self.version += 1
        if new is None:
            del kept.objects[key(about)]
            self._uids.discard(uid(about))
        else:
            new["metadata"] = {**new["metadata"], "resourceVersion": str(self.version)}
            kept.objects[key(new)] = new
            self._uids.add(uid(new))
        kept.log.append((self.version, old, new))
        kept.news.set()
        kept.news = asyncio.Event()
        if resource not in UNCOUNTED:
            self.writes.append((self.version, user, resource.kind, name(about)))
        for look in self.looks:
            look(resource, old, new)
        return new if new is not None else about

    def collect(self) -> None:
        """Take along what has lost its owner."""
        for resource, kept in list(self.kept.items()):
            for obj in list(kept.objects.values()):
                owners = metadata(obj).get("ownerReferences") or ()
                if owners and not any(each["uid"] in self._uids for each in owners):
                    self.delete(resource, key(obj), "garbage-collector")

    def since(
        self, resource: Resource, version: int, selector: LabelSelector
    ) -> Iterator[WatchEvent]:
        """What has happened to the objects of a resource that a selector matches."""
        for number, old, new in self.kept[resource].log:
            if number <= version:
                continue
            was = old is not None and selector.matches(labels(old))
            if new is not None and selector.matches(labels(new)):
                yield WatchEvent("MODIFIED" if was else "ADDED", copied(new))
            elif was and old is not None:
                head = {**metadata(old), "resourceVersion": str(number)}
                yield WatchEvent("DELETED", copied({**old, "metadata": head}))


def _versionless(obj: Object) -> Object:
    return {**obj, "metadata": {**metadata(obj), "resourceVersion": ""}}

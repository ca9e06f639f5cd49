"""From what a watch tells to what happened to an object. Pure.

=================================  ===================================================
the watch tells                    what happened
=================================  ===================================================
ADDED, MODIFIED, DELETED           add, update, delete
in a list: not known, older        nothing: it was there before anything was watched
in a list: not known, newer        add: it came while the watch was interrupted
in a list: known, another version  update: it changed while the watch was interrupted
any, without the labels any more   delete, if it was known; else nothing
not in a list, but known           delete: it went while the watch was interrupted
=================================  ===================================================

What an adapter has never seen it does not miss: what is deleted while none runs is not told.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Set
from typing import Any, NamedTuple

from hearth.kube.clock import parse_rfc3339
from hearth.kube.meta import Object, creation_timestamp, name, namespace, resource_version, uid


class Change(enum.Enum):
    """What happened to an object."""

    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"


class Known(NamedTuple):
    """As much of an object as is remembered: who it is, and the version it was seen in."""

    version: str
    namespace: str
    name: str
    api_version: str
    kind: str

    @classmethod
    def of(cls, obj: Object) -> Known:
        """Remember an object."""
        about = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
        return cls(resource_version(obj), namespace(obj), name(obj), *about)

    def as_object(self, item: str) -> Object:
        """Return an object with what is known of it."""
        given = {
            "name": self.name,
            "namespace": self.namespace,
            "uid": item,
            "resourceVersion": self.version,
        }
        metadata = {field: value for field, value in given.items() if value}
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata}


class Changes:
    """The objects of one watched kind that are known, and the versions they were seen in."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}

    def take(
        self, told: str | None, obj: Object, *, selected: bool = True, since: float | None = None
    ) -> Change | None:
        """Take one word of the watch; ``told`` is its type, None in a list.

        ``since`` is when all that is watched was watched first, in Unix seconds; None before that.
        """
        item, version = uid(obj), resource_version(obj)
        before = self._known.get(item)
        if told == "DELETED" or not selected:
            self._known.pop(item, None)
            return Change.DELETE if before is not None else None
        self._known[item] = Known.of(obj)
        if before is not None:
            return Change.UPDATE if before.version != version else None
        return Change.ADD if told is not None or _is_newer(obj, since) else None

    def gone(self, listed: Set[str], where: str | None) -> list[Object]:
        """Return those that a whole list does not have any more, and forget them.

        ``listed`` are the uids of a namespace's list, or of all namespaces' where that is None.
        """
        missing = [
            item
            for item, known in self._known.items()
            if item not in listed and where in (None, known.namespace)
        ]
        return [self._known.pop(item).as_object(item) for item in missing]


class Listing:
    """A list that comes in pieces, of which each says where the next one begins."""

    def __init__(self) -> None:
        self._uids: set[str] = set()

    def take(self, page: Mapping[str, Any], *, is_first: bool) -> Set[str] | None:
        """Take a piece; return the uids of the whole list once it is whole."""
        if is_first:
            self._uids = set()
        self._uids.update(map(uid, page.get("items") or ()))
        return None if (page.get("metadata") or {}).get("continue") else frozenset(self._uids)


def _is_newer(obj: Object, since: float | None) -> bool:
    """Moments of objects are whole seconds: in doubt an object is an old one."""
    if since is None:
        return False
    try:
        return parse_rfc3339(creation_timestamp(obj)) > since
    except ValueError:
        return False

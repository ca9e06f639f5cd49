"""From what a watch tells to what happened to an object. Pure.

=================================  ===================================================
the watch tells                    what happened
=================================  ===================================================
ADDED, MODIFIED, DELETED           add, update, delete
in a list: not known, older        nothing: it was there before us
in a list: not known, newer        add: it came while nothing was watched
in a list: known, another version  update: it changed while nothing was watched
any, without the labels any more   delete, if it was known; else nothing
=================================  ===================================================

What is deleted while nothing is watched is not told: a list does not say what is missing.
"""

from __future__ import annotations

import enum

from hearth.kube.clock import parse_rfc3339
from hearth.kube.meta import Object, creation_timestamp, resource_version, uid


class Change(enum.Enum):
    """What happened to an object."""

    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"


class Changes:
    """The objects of one watched kind that are known, and the versions they were seen in."""

    def __init__(self, began: float) -> None:
        """``began`` is when watching began, in Unix seconds."""
        self._began = began
        self._known: dict[str, str] = {}

    def take(self, told: str | None, obj: Object, *, selected: bool = True) -> Change | None:
        """Take one word of the watch; ``told`` is its type, None in a list."""
        item, version = uid(obj), resource_version(obj)
        before = self._known.get(item)
        if told == "DELETED" or not selected:
            self._known.pop(item, None)
            return Change.DELETE if before is not None else None
        self._known[item] = version
        if before is not None:
            return Change.UPDATE if before != version else None
        return Change.ADD if told is not None or self._is_new(obj) else None

    def _is_new(self, obj: Object) -> bool:
        try:
            # Moments of objects are whole seconds. Who is told twice knows it by the event's id.
            return parse_rfc3339(creation_timestamp(obj)) >= int(self._began)
        except ValueError:
            return False

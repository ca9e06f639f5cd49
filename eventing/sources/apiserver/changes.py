"""From what a watch tells to what happened to an object. Pure.

=================================  ===================================================
the watch tells                    what happened
=================================  ===================================================
ADDED, MODIFIED, DELETED           add, update, delete
in a list: not known, older        nothing: it was there before anything was watched
in a list: not known, newer        add: it came while the watch was interrupted
in a list: known, another version  update: it changed while the watch was interrupted
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

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

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
        self._known[item] = version
        if before is not None:
            return Change.UPDATE if before != version else None
        return Change.ADD if told is not None or _is_newer(obj, since) else None


def _is_newer(obj: Object, since: float | None) -> bool:
    """Moments of objects are whole seconds: in doubt an object is an old one."""
    if since is None:
        return False
    try:
        return parse_rfc3339(creation_timestamp(obj)) > since
    except ValueError:
        return False

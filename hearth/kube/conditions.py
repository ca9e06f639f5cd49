"""The conditions of an object's status, and the one place to find one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hearth.kube.meta import Object

Condition = dict[str, Any]
UNKNOWN = "Unknown"


class Conditions:
    """A read view of ``status.conditions``; nothing is copied."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[Condition] | None) -> None:
        self._entries = entries or ()

    @classmethod
    def of(cls, obj: Object | None) -> Conditions:
        """Return the conditions of an object; none where there is no object or no status."""
        return cls(((obj or {}).get("status") or {}).get("conditions"))

    def __iter__(self) -> Iterator[Condition]:
        return iter(self._entries)

    def get(self, kind: str) -> Condition | None:
        """Return the condition of this type."""
        for condition in self._entries:
            if condition.get("type") == kind:
                return condition
        return None

    def status(self, kind: str) -> str:
        """Return True, False or Unknown; Unknown where there is no such condition."""
        condition = self.get(kind)
        return UNKNOWN if condition is None else str(condition.get("status", UNKNOWN))

    def is_true(self, kind: str) -> bool:
        """Whether there is such a condition, and it is True."""
        return self.status(kind) == "True"

    def is_false(self, kind: str) -> bool:
        """Whether there is such a condition, and it is False."""
        return self.status(kind) == "False"

    def reason(self, kind: str) -> str:
        """Return why the condition is as it is; "" where it does not say."""
        return str((self.get(kind) or {}).get("reason", ""))

    def message(self, kind: str) -> str:
        """Return what the condition tells people; "" where it does not say."""
        return str((self.get(kind) or {}).get("message", ""))

    def transition_time(self, kind: str) -> str:
        """Return when the condition changed last, in RFC 3339; "" where it does not say."""
        return str((self.get(kind) or {}).get("lastTransitionTime") or "")

    def by_type(self) -> dict[str, Condition]:
        """Return all of them by their types, in their order."""
        return {str(condition["type"]): condition for condition in self._entries}

"""The seam of admission: a write about to happen, and what decides whether it may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objects import Object
from hearth.cluster.model.user import User


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write about to happen, as admission sees it. ``obj`` of a deletion is None."""

    operation: str  # CREATE, UPDATE, DELETE or CONNECT
    kind: Kind
    namespace: str
    name: str
    subresource: str
    obj: Object | None
    old: Object | None
    user: User
    dry_run: bool
    options: dict[str, Any] | None
    warnings: list[str] = field(default_factory=list)
    releases: list[Callable[[], None]] = field(default_factory=list)
    """Called when the write is stored or has failed: what admission held for it."""


class Admission(Protocol):
    """Webhooks and built-in admission; both raise ``ApiStatus`` to refuse."""

    async def mutate(self, attempt: Attempt) -> Object | None:
        """The object to go on with: the one given, or a changed copy."""

    async def validate(self, attempt: Attempt) -> None:
        """Returns when nothing speaks against the write."""


class NoAdmission:
    """Lets everything pass."""

    async def mutate(self, attempt: Attempt) -> Object | None:
        """Leaves the object as it is."""
        return attempt.obj

    async def validate(self, attempt: Attempt) -> None:
        """Refuses nothing."""
        return None

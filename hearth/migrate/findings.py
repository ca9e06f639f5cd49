"""What the rules say: one sentence about one object, and what to do about it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from hearth.kube.meta import Object, name, namespace


class Outcome(enum.IntEnum):
    """What becomes of an object, the worst first."""

    STOPS = 0
    """It would not work."""
    CHANGES = 1
    """It would work, and otherwise than now."""


@dataclass(frozen=True, order=True, slots=True)
class Finding:
    """One thing to know before a move."""

    outcome: Outcome
    where: str
    """The object, as ``Kind namespace/name``, or the setting."""
    what: str
    remedy: str = ""


def named(obj: Object, kind: str = "") -> str:
    """Name an object as findings do."""
    space = namespace(obj)
    return f"{kind or obj.get('kind', '')} {space}/{name(obj)}" if space else f"{kind} {name(obj)}"

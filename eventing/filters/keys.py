"""What every match of a filter has: keys that an index finds filters by. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple

_MOST_KEYS = 1000
"""A requirement of more keys finds nothing quicker than asking does."""


class Probe(enum.IntEnum):
    """What a key asks of an attribute; the first ones leave the fewest events."""

    EXACT = 0
    INTEGER = 1
    """The text stands for this integer."""
    PREFIX = 2
    SUFFIX = 3
    PRESENT = 4
    """It is there, whatever its value."""


class Key(NamedTuple):
    """One property of an event."""

    probe: Probe
    attribute: str
    value: str | int = ""


Requirement = frozenset[Key]
"""An event that matches has one of these at least; none can match where there is none."""

Requirements = tuple[Requirement, ...]
"""Each holds for every event that matches."""


def required(probe: Probe, attribute: str, value: str | int = "") -> Requirements:
    """Return the requirement of one key."""
    return (frozenset((Key(probe, attribute, value),)),)


def either(alternatives: Iterable[Requirements]) -> Requirements:
    """Return what holds where one of several does: of each the requirement that says most."""
    keys: set[Key] = set()
    for requirements in alternatives:
        if not requirements:
            return ()
        chosen: Requirement = min(requirements, key=vagueness)
        keys |= chosen
    return (frozenset(keys),) if len(keys) <= _MOST_KEYS else ()


def vagueness(requirement: Requirement) -> tuple[int, int]:
    """Order requirements by how little they say."""
    return (max((key.probe for key in requirement), default=-1), len(requirement))

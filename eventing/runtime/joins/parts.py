"""How the events of a join are known: by one attribute, which says all there is to say. Pure.

An event that comes to a Parallel is marked with a token. Whatever its branches make of it bears the
token, the branch, and what became of it there.
"""

from __future__ import annotations

from dataclasses import dataclass

from eventing.engines.event import RenderedEvent
from eventing.runtime.intake import without_attributes

MARK = "hearthjoin"
"""The attribute."""

REPLIED = "replied"
NOTHING = "nothing"
"""The subscriber answered without an event."""
FILTERED = "filtered"
FAILED = "failed"
"""The event could not be delivered."""
MISSING = "missing"
"""Nothing was heard of the branch in time. No part says so."""

_OUTCOMES = frozenset({REPLIED, NOTHING, FILTERED, FAILED})
_MOST = 10_000
_SEPARATOR = "/"


@dataclass(frozen=True, slots=True)
class Part:
    """What became of an event in one branch; of several replies, one of them."""

    token: str
    branch: int
    outcome: str
    index: int = 0
    count: int = 1
    """How many replies there are."""

    def to_text(self) -> str:
        """Return the attribute's value."""
        return f"{self.token}/{self.branch}/{self.outcome}/{self.index}/{self.count}"


def new_token(arrival_ns: int, chance: str) -> str:
    """Return a token that tells when its event came; ``chance`` is what no other has."""
    return f"{arrival_ns:x}-{chance}"


def mark_event(event: RenderedEvent, chance: str) -> None:
    """Mark an event that came to a Parallel, whatever mark it had."""
    token = new_token(event.arrival_ns, chance)
    attributes = {**event.attributes, MARK: token}
    head = without_attributes(event.head, b"ce-%b:" % MARK.encode())
    event.head = head + b"ce-%b: %b\r\n" % (MARK.encode(), token.encode())
    event.known_attributes = attributes


def arrival_of(token: str) -> float:
    """Return when the event of a token came, in seconds since 1970; ValueError for no token."""
    return int(token.partition("-")[0], 16) / 1e9


def token_of(value: str) -> str:
    """Return the token of an attribute's value, whether it is of the event or of a part."""
    return value.partition(_SEPARATOR)[0]


def read_part(value: str) -> Part | None:
    """Return the part that a value tells of; None for that of the event itself.

    Raises ValueError for what is neither.
    """
    token, *rest = value.split(_SEPARATOR)
    arrival_of(token)
    if not rest:
        return None
    branch, outcome, index, count = rest
    part = Part(token, int(branch), outcome, int(index), int(count))
    if outcome not in _OUTCOMES or not 0 <= part.index < part.count <= _MOST:
        raise ValueError(f"{value!r} is no part of a join")
    return part

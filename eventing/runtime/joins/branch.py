"""What the deliveries of a branch tell the join of their Parallel. Pure.

A reply is marked as its event was. An event that comes to its end without a reply is told of by an
event of its own, so that nobody waits for more.
"""

from __future__ import annotations

from collections.abc import Sequence

from eventing.api.joins import JoinBranch
from eventing.codec import Event
from eventing.engines.event import RenderedEvent
from eventing.runtime.delivery import Delivery, Hop
from eventing.runtime.intake import prepare_unstamped
from eventing.runtime.joins.parts import (
    FAILED,
    FILTERED,
    MARK,
    NOTHING,
    REPLIED,
    Part,
    read_part,
    token_of,
)

END_TYPE = "dev.hearth.parallel.end"


def _token(event: RenderedEvent) -> str | None:
    """Return the token of an event on its way through a branch; None where it has none."""
    value = event.attributes.get(MARK)
    try:
        return token_of(value) if value and read_part(value) is None else None
    except ValueError:
        return None


def mark(branch: JoinBranch, event: RenderedEvent, replies: Sequence[Event]) -> bool:
    """Mark the replies to an event; False where the event came by another way than its Parallel."""
    token = _token(event)
    if token is None:
        return False
    for index, reply in enumerate(replies):
        part = Part(token, branch.number, REPLIED, index, len(replies))
        reply.attributes[MARK] = part.to_text() if branch.is_last else token
        reply.head = None  # to be rendered anew
    return True


def end_of(
    branch: JoinBranch, item: Delivery, source: str, arrival_ns: int
) -> RenderedEvent | None:
    """Return what tells of the end of an event's way, where that is the end of its branch."""
    outcome = _outcome(branch, item)
    token = _token(item.event) if outcome else None
    if outcome is None or token is None:
        return None
    part = Part(token, branch.number, outcome)
    event = Event(
        {
            "specversion": "1.0",
            "id": f"{token}-{branch.number}",
            "source": source,
            "type": END_TYPE,
            MARK: part.to_text(),
        }
    )
    if item.failure is not None:
        event.attributes |= item.failure.attributes()
    return prepare_unstamped(event, arrival_ns=arrival_ns, headers=())


def _outcome(branch: JoinBranch, item: Delivery) -> str | None:
    if item.failure is not None:
        return FAILED
    if item.hop is not Hop.SUBSCRIBER:
        return None
    if branch.is_last:
        return NOTHING
    return FILTERED if branch.is_filter else None

"""The joined event of what was gathered, ready for the log. Pure."""

from __future__ import annotations

from collections.abc import Callable

from eventing.api.joins import JoinOptions
from eventing.engines.event import Position, RenderedEvent, StoredEvent
from eventing.runtime.intake import prepare_unstamped
from eventing.runtime.joins.composing import BranchResult, compose
from eventing.runtime.joins.table import Gathered
from eventing.runtime.tracing.heads import continue_from

Read = Callable[[Position], StoredEvent | None]
"""Returns a part; None where it is damaged."""


def joined_of(
    gathered: Gathered, options: JoinOptions, read: Read, *, arrival_ns: int, most_bytes: int
) -> tuple[StoredEvent | None, RenderedEvent]:
    """Return the event that came, as far as it is there, and the joined one.

    The joined event goes on in the trace of the one that came. ``most_bytes`` is for its data.
    """
    original = read(gathered.event) if gathered.event is not None else None
    results = []
    for told in gathered.branches:
        events = [found.to_event() for each in told.positions if (found := read(each))]
        results.append(BranchResult(told.outcome, events))
    joined = compose(
        gathered.token,
        options,
        original.to_event() if original is not None else None,
        results,
        most_bytes=most_bytes,
    )
    made = prepare_unstamped(joined, arrival_ns=arrival_ns, headers=(), answered=original)
    if original is not None:
        continue_from(original, made)
    return original, made

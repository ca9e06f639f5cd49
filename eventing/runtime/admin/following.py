"""How somebody follows a log by asking again and again: where he has come to. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from eventing.engines.event import StoredEvent
from eventing.engines.seam import EventLog
from eventing.runtime.admin.shapes import Json


@dataclass(frozen=True, slots=True)
class Since:
    """Where somebody who follows a log has come to."""

    arrival_ns: int
    seen: frozenset[str] = frozenset()
    """Positions of events that arrived in that very nanosecond and are known already."""


def is_seen(log: EventLog, event: StoredEvent, since: Since) -> bool:
    """Whether an event is known to whoever follows."""
    if event.arrival_ns != since.arrival_ns:
        return False
    return log.position_text(event.position) in since.seen


def next_of(log: EventLog, events: list[StoredEvent], before: Since | None = None) -> Json:
    """Where to go on: the last arrival, and what is known of that moment."""
    last_ns = events[-1].arrival_ns
    seen = {log.position_text(each.position) for each in events if each.arrival_ns == last_ns}
    if before is not None and before.arrival_ns == last_ns:
        seen |= before.seen
    return {"since": str(last_ns), "seen": sorted(seen)}

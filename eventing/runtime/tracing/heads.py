"""The context in the header lines of an event. Pure."""

from __future__ import annotations

import re

from eventing.engines.event import RenderedEvent
from hearth.observability.traces.context import TraceContext

_NAME = b"\r\ntraceparent: "
_SAMPLED = re.compile(
    rb"\r\ntraceparent: (00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f][13579bdf])\r\n"
)


def sampled_context(head: bytes) -> TraceContext | None:
    """Return the context of an event that is recorded; of most there is none."""
    if _NAME not in head:
        return None
    found = _SAMPLED.search(head)
    if found is None:
        return None
    whole, trace_id, span_id = found.groups()
    return TraceContext(trace_id, span_id, int(whole[53:], 16))


def at_span(event: RenderedEvent, context: TraceContext) -> RenderedEvent:
    """Return a sampled event as it is sent on: what follows it is a child of that span."""
    line = b"%b%b\r\n" % (_NAME, context.header)
    head = _SAMPLED.sub(line, event.head, count=1)
    return RenderedEvent(
        event.arrival_ns, event.ttl, head, event.types, event.data, event.known_attributes
    )

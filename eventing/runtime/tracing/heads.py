"""The context in the header lines of an event that is recorded: the first line. Pure.

Rendered lines begin with an attribute, so no producer can have put it there. It is known at a
glance, and what is a sampled trace of others, not recorded here, goes on as it came.
"""

from __future__ import annotations

import re

from eventing.engines.event import RenderedEvent
from eventing.runtime.intake import without_attributes
from hearth.observability.traces.context import TraceContext, parse_traceparent

MARK = b"traceparent: 00-"
"""What the lines of an event begin with that is recorded."""

MARKED_BYTES = 70
"""The length of that line."""

GIVEN = b"\r\ntraceparent: "
"""Among the lines of an event that came with a context, perhaps not a valid one."""
_LINE = re.compile(rb"\r\ntraceparent: ([^\r]*)")


def given_context(head: bytes) -> TraceContext | None:
    """Return the context that an event came with, if it is a valid one."""
    values = _LINE.findall(head)
    return parse_traceparent(values[0].strip(b" \t")) if len(values) == 1 else None


def is_recorded(event: RenderedEvent) -> bool:
    """Whether an event has a place in a trace that is recorded here."""
    return event.head.startswith(MARK)


def context_in(head: bytes) -> TraceContext | None:
    """Return the context of an event that is recorded; of most there is none."""
    if not head.startswith(MARK):
        return None
    return TraceContext(head[16:48], head[49:65], int(head[66:68], 16))


def marked(head: bytes, context: TraceContext, *, continues: bool) -> bytes:
    """Return header lines with this context; its ``tracestate`` stays where the trace goes on."""
    kept = without_attributes(head, b"traceparent: ")
    if not continues:
        kept = without_attributes(kept, b"tracestate: ")
    return b"traceparent: %b\r\n%b" % (context.header, kept)


def continue_from(event: RenderedEvent, made: RenderedEvent) -> None:
    """Have what was made of an event be recorded where that is, as its child."""
    context = context_in(event.head)
    if context is not None:
        made.head = marked(made.head, context, continues=True)


def at_span(event: RenderedEvent, span_id: bytes) -> RenderedEvent:
    """Return a recorded event as it is sent on: what follows it is a child of that span."""
    head = b"%b%b%b" % (event.head[:49], span_id, event.head[65:])
    return RenderedEvent(
        event.arrival_ns, event.ttl, head, event.types, event.data, event.known_attributes
    )

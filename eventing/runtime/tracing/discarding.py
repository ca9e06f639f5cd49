"""The span of an event that no filter lets pass: a trace would just stop there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from eventing.engines.event import RenderedEvent
from eventing.runtime.places import Place
from eventing.runtime.tracing.heads import MARKED_BYTES, context_in
from eventing.runtime.tracing.words import kept_of, named, of_addressable, of_event
from hearth.observability.traces.sampling import new_span_id
from hearth.observability.traces.spans import Span, SpanKind
from hearth.observability.traces.tracer import Tracer


def tell_of_discarded(
    tracer: Tracer, now: float, place: Place, event: RenderedEvent, asked: int
) -> None:
    """Note that of so many subscriptions none wants an event that is recorded.

    ``now`` is in seconds since 1970.
    """
    noted = event.head[:MARKED_BYTES], kept_of(event), event.arrival_ns
    tracer.record(partial(_span_of, place, *noted, now, asked))


def _span_of(
    place: Place,
    head: bytes,
    event: Mapping[str, str],
    arrival_ns: int,
    now: float,
    asked: int,
) -> Span:
    """In the thread that exports."""
    context = context_in(head)
    assert context is not None
    told = of_addressable(place) | of_event(event)
    told["messaging.operation.name"] = "discard"
    told["hearth.subscriptions.asked"] = asked
    own, name = context.child(new_span_id()), f"discard {named(place)}"
    return Span(name, SpanKind.INTERNAL, own, context.span_id, arrival_ns, int(now * 1e9), told)

"""Spans of requests with events.

Whether a request is recorded is decided when its events are rendered, by what their header lines
have in any case: where nothing is recorded that costs a look and a random number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from activator.http.events import ResponseHead, ServerStream
from eventing.codec import Event
from eventing.engines.event import RenderedEvent
from eventing.runtime.places import Place
from eventing.runtime.tracing.heads import GIVEN, given_context, marked
from eventing.runtime.tracing.words import (
    Attributes,
    kept_of,
    main_of,
    named,
    shared_of_addressable,
    shared_of_event,
)
from hearth.kube.clock import Clock
from hearth.observability.traces.context import TraceContext, context_of, with_context
from hearth.observability.traces.sampling import new_span_id
from hearth.observability.traces.spans import Span, SpanKind
from hearth.observability.traces.tracer import Tracer

Events = Mapping[str, object] | int
"""The attributes of the one event, or how many there are."""
_Noted = tuple[TraceContext, bytes, float, Place | None, Events]


class Request(Protocol):
    """A request that is answered once."""

    @property
    def stream(self) -> ServerStream:
        """Its head, and whoever waits for the answer."""

    def answer(self, head: ResponseHead) -> None:
        """Answer, unless it is answered or nobody is there any more."""


class IngressTracing:
    """Ask ``tracer.is_on`` before anything else here."""

    def __init__(self, tracer: Tracer, clock: Clock) -> None:
        self.tracer = tracer
        self._clock = clock

    def taken(self, request: Request, place: Place, events: Sequence[RenderedEvent]) -> Request:
        """Return what to answer, and change the context of what is taken in where it is recorded.

        All events have the headers of the request.
        """
        head, sampler = events[0].head, self.tracer.sampler
        if GIVEN in head:
            decided = sampler.parent_of(given_context(head))
        elif sampler.left > 0:  # as it mostly is: not even a call
            sampler.left -= 1
            return request
        else:
            decided = sampler.begin()
        if decided is None:
            return request
        parent, continues = decided
        own = parent.child(new_span_id())
        for event in events:
            event.head = marked(event.head, own, continues=continues)
        noted = kept_of(events[0]) if len(events) == 1 else len(events)
        began = events[0].arrival_ns / 1e9
        return _Traced(self, request, own, parent.span_id, began, place, noted)

    def exchanged(self, request: Request, place: Place, events: Sequence[Event]) -> Request:
        """Return what to answer where events are exchanged for an answer; its headers change."""
        return self._by_headers(request, place, main_of(events[0].attributes) if events else 0)

    def refused(self, request: Request) -> Request:
        """Return what to answer where nothing is taken in."""
        return self._by_headers(request, None, 0)

    def _by_headers(self, request: Request, place: Place | None, noted: Events) -> Request:
        head = request.stream.head
        decided = self.tracer.sampler.parent_of(context_of(head.fields))
        if decided is None:
            return request
        parent, continues = decided
        own = parent.child(new_span_id())
        head.fields = with_context(head.fields, own, continues=continues)
        return _Traced(self, request, own, parent.span_id, self._clock(), place, noted)

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock()


class _Traced:
    """A request whose span ends with the answer."""

    __slots__ = ("_noted", "_request", "_tracing")

    def __init__(
        self,
        tracing: IngressTracing,
        request: Request,
        own: TraceContext,
        parent_id: bytes,
        began: float,
        place: Place | None,
        events: Events,
    ) -> None:
        self._tracing = tracing
        self._request = request
        self._noted: _Noted | None = (own, parent_id, began, place, events)

    @property
    def stream(self) -> ServerStream:
        """The request's."""
        return self._request.stream

    def answer(self, head: ResponseHead) -> None:
        """Answer, and end the span."""
        path = self._request.stream.head.target.partition(b"?")[0]
        self._request.answer(head)
        noted, self._noted = self._noted, None
        if noted is not None:
            tracing = self._tracing
            # Of the request itself nothing is kept.
            tracing.tracer.record(partial(_span_of, noted, path, head.status, tracing.now()))


def _span_of(noted: _Noted, path: bytes, status: int, end: float) -> Span:
    """In the thread that exports."""
    own, parent_id, began, place, events = noted
    shown = path.decode("latin-1")
    name = f"POST {shown}" if place is None else named(place)
    shared = () if place is None else (shared_of_addressable(place),)
    told: Attributes = {}
    if not isinstance(events, int):
        shared = (*shared, shared_of_event(events))
    elif events:
        told["messaging.batch.message_count"] = events
    told["http.request.method"] = "POST"
    told["url.path"] = shown
    told["http.response.status_code"] = status
    error = None
    if status >= 500:
        told["error.type"] = str(status)
        error = f"the answer was {status}"
    start, over = int(began * 1e9), int(end * 1e9)
    return Span(
        name,
        SpanKind.SERVER,
        own,
        parent_id,
        start,
        over,
        told,
        error,
        is_remote=bool(parent_id),
        shared=shared,
    )

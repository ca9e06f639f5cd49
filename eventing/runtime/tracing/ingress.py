"""Spans of requests with events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from activator.http.events import ResponseHead, ServerStream
from eventing.codec import Event
from eventing.runtime.places import Place
from eventing.runtime.tracing.words import destination, of_destination, of_event, of_place
from hearth.kube.clock import Clock
from hearth.observability.traces.context import TraceContext, context_of, with_context
from hearth.observability.traces.sampling import new_span_id
from hearth.observability.traces.spans import Span, SpanKind
from hearth.observability.traces.tracer import Tracer


class Request(Protocol):
    """A request that is answered once."""

    @property
    def stream(self) -> ServerStream:
        """Its head, and whoever waits for the answer."""

    def answer(self, head: ResponseHead) -> None:
        """Answer, unless it is answered or nobody is there any more."""


def begin(tracer: Tracer, request: Request, clock: Clock) -> Request:
    """Return a request as it is gone on with: a sampled one has another context."""
    head = request.stream.head
    given = context_of(head.fields)
    decided = tracer.sampler.parent_of(given)
    if decided is None:
        return request
    parent, continues = decided
    own = parent.child(new_span_id())
    head.fields = with_context(head.fields, own, continues=continues)
    return TracedRequest(tracer, request, own, parent.span_id, clock)


class TracedRequest:
    """Ends its span with the answer."""

    __slots__ = (
        "_clock",
        "_events",
        "_is_over",
        "_own",
        "_parent_id",
        "_place",
        "_request",
        "_start",
        "_tracer",
    )

    def __init__(
        self,
        tracer: Tracer,
        request: Request,
        own: TraceContext,
        parent_id: bytes,
        clock: Clock,
    ) -> None:
        self._tracer = tracer
        self._request = request
        self._own = own
        self._parent_id = parent_id
        self._clock = clock
        self._start = clock()
        self._place: Place | None = None
        self._events: Sequence[Event] = ()
        self._is_over = False

    @property
    def stream(self) -> ServerStream:
        """The request's."""
        return self._request.stream

    def about(self, place: Place, events: Sequence[Event]) -> None:
        """Note what it is about."""
        self._place, self._events = place, events

    def answer(self, head: ResponseHead) -> None:
        """Answer, and end the span."""
        self._request.answer(head)
        if not self._is_over:
            self._is_over = True
            self._record(head.status)

    def _record(self, status: int) -> None:
        asked, place, events = self._request.stream.head, self._place, self._events
        path = asked.target.partition(b"?")[0].decode("latin-1")
        name = (
            f"POST {path}"
            if place is None
            else destination(place.kind, place.name, place.namespace)
        )
        told = of_destination(name)
        if place is not None:
            told |= of_place(place)
        if len(events) == 1:
            told |= of_event(events[0].attributes)
        elif events:
            told["messaging.batch.message_count"] = len(events)
        told["http.request.method"] = "POST"
        told["url.path"] = path
        told["http.response.status_code"] = status
        error = None
        if status >= 500:
            told["error.type"] = str(status)
            error = f"the answer was {status}"
        start, end = int(self._start * 1e9), int(self._clock() * 1e9)
        span = Span(name, SpanKind.SERVER, self._own, self._parent_id, start, end, told, error)
        self._tracer.record(span)

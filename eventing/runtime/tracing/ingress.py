"""Spans of requests with events.

Whether a request is recorded is decided when its events are rendered, by what their header lines
have in any case: where nothing is recorded that costs a look and a random number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from activator.http.events import ResponseHead, ServerStream
from eventing.codec import Event
from eventing.engines.event import RenderedEvent
from eventing.runtime.places import Place
from eventing.runtime.tracing.heads import given_context, marked, may_be_given
from eventing.runtime.tracing.words import Attributes, named, of_addressable, of_event
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
        given = given_context(head) if may_be_given(head) else None
        decided = sampler.begin() if given is None else sampler.parent_of(given)
        if decided is None:
            return request
        parent, continues = decided
        own = parent.child(new_span_id())
        for event in events:
            event.head = marked(event.head, own, continues=continues)
        told = _told(place, [event.attributes for event in events])
        return self._traced(request, named(place), own, parent.span_id, told, events[0].arrival_ns)

    def exchanged(self, request: Request, place: Place, events: Sequence[Event]) -> Request:
        """Return what to answer where events are exchanged for an answer; its headers change."""
        told = _told(place, [event.attributes for event in events])
        return self._by_headers(request, named(place), told)

    def refused(self, request: Request) -> Request:
        """Return what to answer where nothing is taken in."""
        return self._by_headers(request, f"POST {_path_of(request)}", {})

    def _by_headers(self, request: Request, name: str, told: Attributes) -> Request:
        head = request.stream.head
        decided = self.tracer.sampler.parent_of(context_of(head.fields))
        if decided is None:
            return request
        parent, continues = decided
        own = parent.child(new_span_id())
        head.fields = with_context(head.fields, own, continues=continues)
        now = int(self._clock() * 1e9)
        return self._traced(request, name, own, parent.span_id, told, now)

    def _traced(
        self,
        request: Request,
        name: str,
        own: TraceContext,
        parent_id: bytes,
        told: Attributes,
        start_ns: int,
    ) -> Request:
        span = Span(name, SpanKind.SERVER, own, parent_id, start_ns, start_ns, told, is_remote=True)
        return _Traced(self, request, span)

    def ended(self, span: Span, request: Request, status: int) -> None:
        """Note that a request was answered."""
        told = dict(span.attributes)
        told["http.request.method"] = "POST"
        told["url.path"] = _path_of(request)
        told["http.response.status_code"] = status
        if status >= 500:
            told["error.type"] = str(status)
            span.error = f"the answer was {status}"
        span.attributes, span.end_ns = told, int(self._clock() * 1e9)
        self.tracer.record(span)


def _path_of(request: Request) -> str:
    return request.stream.head.target.partition(b"?")[0].decode("latin-1")


def _told(place: Place, events: Sequence[Mapping[str, object]]) -> Attributes:
    told = of_addressable(place)
    if len(events) == 1:
        return told | of_event(events[0])
    told["messaging.batch.message_count"] = len(events)
    return told


class _Traced:
    """A request whose span ends with the answer."""

    __slots__ = ("_request", "_span", "_tracing")

    def __init__(self, tracing: IngressTracing, request: Request, span: Span) -> None:
        self._tracing = tracing
        self._request = request
        self._span: Span | None = span

    @property
    def stream(self) -> ServerStream:
        """The request's."""
        return self._request.stream

    def answer(self, head: ResponseHead) -> None:
        """Answer, and end the span."""
        self._request.answer(head)
        span, self._span = self._span, None
        if span is not None:
            self._tracing.ended(span, self._request, head.status)

"""Spans of the deliveries of one subscription: asked only of what is sampled, but for a look."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from time import monotonic

from activator.http.fields import Field
from eventing.engines.event import RenderedEvent
from eventing.runtime.delivery import Delivery, Hop
from eventing.runtime.observer import Follows
from eventing.runtime.places import Place
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.tracing.heads import at_span, context_in, marked
from eventing.runtime.tracing.words import (
    destination,
    named,
    of_addressable,
    of_destination,
    of_event,
    of_place,
    of_url,
    without_secrets,
)
from hearth.kube.clock import Clock
from hearth.observability.traces.context import TraceContext, context_of
from hearth.observability.traces.sampling import new_span_id
from hearth.observability.traces.spans import Span, SpanKind
from hearth.observability.traces.tracer import Tracer

_urls = lru_cache(maxsize=256)(of_url)


class DeliveryTracing:
    """Ask ``tracer.is_on`` before anything else here.

    ``anew`` says that events are delivered that were delivered before, as a replay's are.
    """

    def __init__(
        self, spec: SubscriptionSpec, tracer: Tracer, clock: Clock, *, anew: bool = False
    ) -> None:
        self.tracer = tracer
        self._clock = clock
        self._key = (secrets.token_hex(8) if anew else spec.uid).encode()[:64]
        self._name = destination(spec.kind, spec.name, spec.namespace)
        self._place = spec.place
        self._told = of_destination(self._name) | _of(spec.place)

    def attempt(self, item: Delivery, event: RenderedEvent) -> RenderedEvent:
        """Begin an attempt; return the event as it is sent, whose receiver continues from it.

        Only what begins with the ``MARK`` is recorded.
        """
        context = context_in(event.head)
        if context is None:
            item.span = b""
            return event
        if item.reply is None:
            item.root = self._root(context)
        item.span = new_span_id()
        return at_span(event, context.child(item.span))

    def look(self, item: Delivery) -> None:
        """Find out whether an event is recorded that is not sent at all."""
        context = context_in(item.event.head)
        if context is not None:
            item.root = self._root(context)

    def attempted(
        self, item: Delivery, url: str, status: int, error: str, follows: Follows
    ) -> None:
        """Note the attempt that has begun last; ``status`` is 0 where there was no answer."""
        sent = item.event if item.reply is None else item.reply
        context, span_id = context_in(sent.head), item.span
        item.span = b""
        if context is None:
            return
        # A reply is a child of what made it, all else of the subscription's own span.
        parent = context.span_id if item.hop is Hop.REPLY else item.root
        told = self._told | of_event(sent.attributes) | _urls(url)
        told["hearth.delivery.hop"] = item.hop.value
        told["hearth.delivery.follows"] = follows.value
        if status:
            told["http.response.status_code"] = status
        if item.attempts > 1:
            told["http.request.resend_count"] = item.attempts - 1
        failed = None if 200 <= status < 300 else error or f"the answer was {status}"
        if failed is not None:
            told["error.type"] = str(status) if status else "no answer"
        end, name = int(self._clock() * 1e9), f"send {without_secrets(url)}"
        start = end - int((monotonic() - item.started) * 1e9)
        own = context.child(span_id)
        self.tracer.record(Span(name, SpanKind.CLIENT, own, parent, start, end, told, failed))

    def reply(
        self, item: Delivery, fields: Sequence[Field], replies: Sequence[RenderedEvent]
    ) -> Span | None:
        """Give replies that go into the log a span, which they continue from; return it."""
        parent = self._parent_of_replies(item, fields)
        if parent is None:
            return None
        own, continues = parent.child(new_span_id()), context_of(fields) is not None
        place, now = self._place, int(self._clock() * 1e9)
        name, told = self._name, self._told
        if place is not None:
            name, told = named(place), of_addressable(place)
        for reply in replies:
            reply.head = marked(reply.head, own, continues=True)
        told = told | of_event(replies[0].attributes)
        return Span(
            name, SpanKind.PRODUCER, own, parent.span_id, now, now, told, is_remote=continues
        )

    def send_on(
        self, item: Delivery, fields: Sequence[Field], replies: Sequence[RenderedEvent]
    ) -> None:
        """Have replies that go elsewhere continue from where they came from."""
        parent = self._parent_of_replies(item, fields)
        if parent is None:
            return
        for reply in replies:
            reply.head = marked(reply.head, parent, continues=True)

    def _parent_of_replies(self, item: Delivery, fields: Sequence[Field]) -> TraceContext | None:
        """What the subscriber says, else the attempt; None where replies are not recorded."""
        given, answered = context_of(fields), context_in(item.event.head)
        if given is not None:
            return given if given.is_sampled else None
        return answered.child(item.span) if answered is not None else None

    def ended(self, span: Span) -> None:
        """Note that replies are durable."""
        span.end_ns = int(self._clock() * 1e9)
        self.tracer.record(span)

    def settled(self, item: Delivery) -> None:
        """Note that the subscription needs an event no more that is recorded."""
        event = item.event
        context = context_in(event.head)
        if context is None:
            return
        failure, told = item.failure, self._told | of_event(event.attributes)
        error = None
        if failure is not None:
            told["error.type"] = str(failure.code)
            error = f"{without_secrets(failure.destination)}: {failure.code}"
        span = Span(
            self._name,
            SpanKind.CONSUMER,
            context.child(item.root),
            context.span_id,
            event.arrival_ns,
            int(self._clock() * 1e9),
            told,
            error,
        )
        self.tracer.record(span)

    def _root(self, context: TraceContext) -> bytes:
        """The id of the subscription's own span, which a later process works out again."""
        made = blake2b(context.header, digest_size=8, key=self._key)
        return made.hexdigest().encode()


def _of(place: Place | None) -> dict[str, str | int | float | bool]:
    return of_place(place) if place is not None else {}

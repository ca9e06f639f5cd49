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
from eventing.runtime.tracing.heads import at_span, sampled_context
from eventing.runtime.tracing.words import (
    destination,
    of_destination,
    of_event,
    of_place,
    of_url,
    without_secrets,
)
from hearth.kube.clock import Clock
from hearth.observability.traces.context import TraceContext, context_of, with_context
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
        """Begin an attempt; return the event as it is sent, whose receiver continues from it."""
        context = sampled_context(event.head)
        if context is None:
            item.span = b""
            return event
        item.span = new_span_id()
        return at_span(event, context.child(item.span))

    def attempted(
        self, item: Delivery, url: str, status: int, error: str, follows: Follows
    ) -> None:
        """Note the attempt that has begun last; ``status`` is 0 where there was no answer."""
        sent = item.event if item.reply is None else item.reply
        context, span_id = sampled_context(sent.head), item.span
        item.span = b""
        if context is None:
            return
        # A reply is a child of what made it, all else of the subscription's own span.
        parent = context.span_id if item.hop is Hop.REPLY else self._root(context)
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

    def reply(self, item: Delivery, fields: Sequence[Field]) -> tuple[Sequence[Field], Span | None]:
        """Return the header fields of a reply to what is being attempted, and its span.

        The reply is a child of what the subscriber says, else of the attempt.
        """
        answered = sampled_context(item.event.head)
        if answered is None:
            return fields, None
        given = context_of(fields)
        if given is not None and not given.is_sampled:
            return fields, None
        parent = answered.child(item.span) if given is None else given
        own = parent.child(new_span_id())
        name, now = self._name, int(self._clock() * 1e9)
        told = of_destination(name)
        if self._place is not None:
            kind, namespace, title = self._place
            name = destination(kind, title, namespace)
            told = of_destination(name) | of_place(self._place)
        span = Span(name, SpanKind.PRODUCER, own, parent.span_id, now, now, told)
        return with_context(fields, own, continues=given is not None), span

    def continued(self, item: Delivery, fields: Sequence[Field]) -> Sequence[Field]:
        """Return the header fields of a reply that is sent on, and not kept."""
        answered = sampled_context(item.event.head)
        if answered is None or context_of(fields) is not None:
            return fields
        return with_context(fields, answered.child(item.span), continues=False)

    def ended(self, span: Span, event: RenderedEvent) -> None:
        """Note that a reply is durable."""
        span.end_ns = int(self._clock() * 1e9)
        span.attributes = {**span.attributes, **of_event(event.attributes)}
        self.tracer.record(span)

    def settled(self, item: Delivery) -> None:
        """Note that the subscription needs an event no more."""
        event = item.event
        context = sampled_context(event.head)
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
            context.child(self._root(context)),
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

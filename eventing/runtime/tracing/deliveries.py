"""Spans of the deliveries of one subscription: asked only of what is recorded, but for a look.

What is noted on the way is little; spans are made of it in the thread that exports them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import blake2b
from time import monotonic

from activator.http.fields import Field
from eventing.engines.event import RenderedEvent
from eventing.runtime.delivery import Delivery, Hop
from eventing.runtime.observer import Follows
from eventing.runtime.request import ErrorInfo
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.tracing.heads import MARKED_BYTES, at_span, context_in, is_recorded, marked
from eventing.runtime.tracing.words import (
    Attributes,
    destination,
    kept_of,
    named,
    of_addressable,
    of_destination,
    of_event,
    of_place,
    shared_of_event,
    shared_of_url,
    without_secrets,
)
from hearth.kube.clock import Clock
from hearth.observability.traces.context import TraceContext, context_of
from hearth.observability.traces.sampling import new_span_id
from hearth.observability.traces.spans import Shared, Span, SpanKind
from hearth.observability.traces.tracer import Tracer

Texts = Mapping[str, str]


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
        self._told = of_destination(self._name)
        if spec.place is not None:
            self._told |= of_place(spec.place)
        self._shared = Shared(self._told)

    # -- on the way of an event --------------------------------------------------------------

    def attempt(self, item: Delivery, event: RenderedEvent) -> RenderedEvent:
        """Begin an attempt; return the event as it is sent, whose receiver continues from it."""
        if not is_recorded(event):
            return event
        item.is_traced = True
        item.span = span_id = new_span_id()
        return at_span(event, span_id)

    def look(self, item: Delivery) -> None:
        """Find out whether an event is recorded that is not sent at all."""
        item.is_traced = is_recorded(item.event)

    def attempted(
        self, item: Delivery, url: str, status: int, error: str, follows: Follows
    ) -> None:
        """Note the attempt that has begun last; ``status`` is 0 where there was no answer."""
        sent = item.event if item.reply is None else item.reply
        span_id, item.span = item.span, b""
        now = self._clock()
        start = now - (monotonic() - item.started)
        self.tracer.record(
            partial(
                self._attempt_span,
                sent.head[:MARKED_BYTES],
                kept_of(sent),
                span_id,
                item.hop,
                item.attempts,
                url,
                status,
                error,
                follows,
                start,
                now,
            )
        )

    def settled(self, item: Delivery) -> None:
        """Note that the subscription needs an event no more that is recorded."""
        event = item.event
        if is_recorded(event):
            head, now = event.head[:MARKED_BYTES], self._clock()
            noted = head, kept_of(event), event.arrival_ns, now, item.failure
            self.tracer.record(partial(self._own_span, *noted))

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
        self.tracer.record(lambda: span)

    # -- in the thread that exports ----------------------------------------------------------

    def _attempt_span(
        self,
        head: bytes,
        event: Texts,
        span_id: bytes,
        hop: Hop,
        attempts: int,
        url: str,
        status: int,
        error: str,
        follows: Follows,
        start: float,
        end: float,
    ) -> Span:
        context = _context(head)
        # A reply is a child of what made it, all else of the subscription's own span.
        parent = context.span_id if hop is Hop.REPLY else self._root(context)
        told: Attributes = {
            "hearth.delivery.hop": hop.value,
            "hearth.delivery.follows": follows.value,
        }
        shared = self._shared, shared_of_event(event), shared_of_url(url)
        if status:
            told["http.response.status_code"] = status
        if attempts > 1:
            told["http.request.resend_count"] = attempts - 1
        failed = None if 200 <= status < 300 else error or f"the answer was {status}"
        if failed is not None:
            told["error.type"] = str(status) if status else "no answer"
        own, name = context.child(span_id), f"send {without_secrets(url)}"
        begun, over = int(start * 1e9), int(end * 1e9)
        return Span(name, SpanKind.CLIENT, own, parent, begun, over, told, failed, shared=shared)

    def _own_span(
        self, head: bytes, event: Texts, arrival_ns: int, end: float, failure: ErrorInfo | None
    ) -> Span:
        context, error = _context(head), None
        told: Attributes = {}
        if failure is not None:
            told["error.type"] = str(failure.code)
            error = f"{without_secrets(failure.destination)}: {failure.code}"
        own, over = context.child(self._root(context)), int(end * 1e9)
        return Span(
            self._name,
            SpanKind.CONSUMER,
            own,
            context.span_id,
            arrival_ns,
            over,
            told,
            error,
            shared=(self._shared, shared_of_event(event)),
        )

    def _root(self, context: TraceContext) -> bytes:
        """The id of the subscription's own span, which a later process works out again."""
        made = blake2b(context.header, digest_size=8, key=self._key)
        return made.hexdigest().encode()


def _context(head: bytes) -> TraceContext:
    found = context_in(head)
    assert found is not None
    return found

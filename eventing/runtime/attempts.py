"""Attempts of one subscription: an event, or several together, become a request that is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic

from activator.http.events import ResponseHead
from eventing.engines.event import RenderedEvent
from eventing.runtime.client import Answer
from eventing.runtime.delivery import Delivery, Hop
from eventing.runtime.expiry import EXPIRY_LINE, is_expired
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.permission import Handshake
from eventing.runtime.request import common_lines, make_batch_request, make_request
from eventing.runtime.services import Services
from eventing.runtime.slots import Slots
from eventing.runtime.spec import SubscriptionSpec, target_of
from eventing.runtime.tracing.deliveries import DeliveryTracing
from eventing.runtime.tracing.heads import MARK
from eventing.runtime.webhooks import WebhookSender

_NO_ADDRESS = Answer(ResponseHead.of(404), error="the subscriber has no address")


_SUBSCRIBER = Hop.SUBSCRIBER  # looked up for each event


class Attempts:
    """Each ends with one call, later: ``answered``, or ``answered_together`` for several events.

    What need not be sent any more is given to ``expired`` instead.
    """

    __slots__ = (
        "_answered",
        "_answered_together",
        "_asking",
        "_counters",
        "_expired",
        "_services",
        "_spec",
        "_telling",
        "_tracer",
        "_tracing",
        "_webhook",
        "slots",
        "under_way",
    )

    def __init__(
        self,
        spec: SubscriptionSpec,
        *,
        services: Services,
        counters: EndpointCounters,
        tracing: DeliveryTracing,
        expired: Callable[[Delivery], None],
        answered: Callable[[Delivery, Answer], None],
        answered_together: Callable[[Sequence[Delivery], Answer], None],
    ) -> None:
        self.under_way = 0
        self._services = services
        self._counters = counters
        self._tracing, self._tracer = tracing, services.tracer
        self._expired = expired
        self._answered = answered
        self._answered_together = answered_together
        self._asking = common_lines(spec.namespace, wants_reply=True)
        self._telling = common_lines(spec.namespace, wants_reply=False)
        self._webhook: WebhookSender | None = None
        self._spec = spec
        self._configure(spec, None)

    def update(self, spec: SubscriptionSpec) -> None:
        """Send by another spec from now on; what is under way still goes its way."""
        before, self._spec = self._spec, spec
        self._configure(spec, before)

    def _configure(self, spec: SubscriptionSpec, before: SubscriptionSpec | None) -> None:
        most, services = spec.options.concurrency, self._services
        if before is None or before.options.concurrency != most:
            self.slots = Slots(services.budget.limits.slots.up_to(most))
            """``slots.limit`` is how many may be under way at once."""
        handshake = _handshake_of(spec)
        if before is None or (_handshake_of(before), before.target) != (handshake, spec.target):
            self._webhook = None
            if handshake is not None:
                name = f"{spec.namespace}/{spec.name}"
                self._webhook = WebhookSender(
                    services.client, handshake, name=name, clock=services.clock
                )

    def one(self, item: Delivery) -> None:
        """Send an event to where its hop leads."""
        spec, hop = self._spec, item.hop
        if EXPIRY_LINE in item.event.head and self._expires(item):
            return
        target = spec.target if hop is _SUBSCRIBER else target_of(spec, hop)
        item.attempts += 1
        item.started = monotonic()
        self.under_way += 1
        if item.attempts == 1 and hop is _SUBSCRIBER:
            waited = self._services.clock() - item.event.arrival_ns / 1e9
            self._counters.process.observe(max(0.0, waited))
        if target is None:
            asyncio.get_running_loop().call_soon(self._answered, item, _NO_ADDRESS)
            return
        event = item.event if item.reply is None else item.reply
        if self._tracer.is_on and event.head.startswith(MARK):
            event = self._tracing.attempt(item, event)
        request = make_request(
            target,
            event,
            self._asking if hop is _SUBSCRIBER else self._telling,
            structured=spec.policy.structured,
            failure=item.failure,
        )
        webhook = self._webhook if hop is _SUBSCRIBER else None
        send = self._services.client.send if webhook is None else webhook.send
        send(
            target,
            request,
            partial(self._answered, item),
            timeout_seconds=spec.policy.timeout_seconds,
        )

    def together(self, given: Sequence[Delivery]) -> None:
        """Send several events to the subscriber in one request."""
        items = [item for item in given if not self._expires(item)]
        if not items:
            return
        spec, now, clock = self._spec, monotonic(), self._services.clock()
        self.under_way += 1
        for item in items:
            item.attempts += 1
            item.started = now
            if item.attempts == 1:
                waited = clock - item.event.arrival_ns / 1e9
                self._counters.process.observe(max(0.0, waited))
        answered = partial(self._answered_together, items)
        if spec.target is None:
            asyncio.get_running_loop().call_soon(answered, _NO_ADDRESS)
            return
        events: list[RenderedEvent] = [item.event for item in items]
        if self._tracer.is_on:
            events = [self._tracing.attempt(item, item.event) for item in items]
        request = make_batch_request(spec.target, events, self._asking)
        timeout = spec.policy.timeout_seconds
        send = self._services.client.send if self._webhook is None else self._webhook.send
        send(spec.target, request, answered, timeout_seconds=timeout)

    def _expires(self, item: Delivery) -> bool:
        """Whether the subscriber need not get it any more; then that was the end of it."""
        if item.hop is not _SUBSCRIBER:
            return False
        if not is_expired(item.event.attributes, now=self._services.clock()):
            return False
        self._expired(item)
        return True

    def close(self) -> None:
        """Send nothing that waits for permission."""
        if self._webhook is not None:
            self._webhook.close()


def _handshake_of(spec: SubscriptionSpec) -> Handshake | None:
    options = spec.options
    if not options.handshake:
        return None
    return Handshake(
        options.webhook_origin, options.webhook_rate, required=options.handshake_required
    )

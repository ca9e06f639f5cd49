"""Stripe. https://docs.stripe.com/webhooks"""

from __future__ import annotations

from eventing.sources.webhook.made import Made, first, rfc3339
from eventing.sources.webhook.received import Received, Refusal
from eventing.sources.webhook.senders.seam import Sender
from eventing.sources.webhook.signatures import stripe

PREFIX = "com.stripe."
_SOURCE = "https://stripe.com"


def made(request: Received, source: str) -> Made:
    """Return the event of a delivery: Stripe's own event is the data."""
    document = request.document()
    told, kind = first(document, "/id"), first(document, "/type")
    if not (told and kind):
        raise Refusal(400, "the body is no event: it has no id, or no type")
    account = first(document, "/account")
    return Made(
        id=told,
        type=f"{PREFIX}{kind}",
        source=f"{_SOURCE}/{account}" if account else _SOURCE,
        data=request.body,
        subject=first(document, "/data/object/id"),
        time=rfc3339(document.get("created")),
    )


SENDER = Sender(stripe, made)

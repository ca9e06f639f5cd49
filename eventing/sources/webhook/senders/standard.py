"""Standard Webhooks, which many senders keep to. https://www.standardwebhooks.com"""

from __future__ import annotations

from typing import Any

from eventing.sources.webhook.made import JSON, Made, first
from eventing.sources.webhook.received import Received, Refusal
from eventing.sources.webhook.senders.seam import Sender
from eventing.sources.webhook.signatures import standard

TYPE = "dev.hearth.webhook"
"""Of requests that tell no type of their own."""
OCTETS = "application/octet-stream"


def made(request: Received, source: str) -> Made:
    """Return the event of a delivery; a JSON body may tell its type."""
    return Made(
        id=request.header("webhook-id"),
        type=first(body_of(request), "/type") or TYPE,
        source=source,
        data=request.body,
        content_type=request.headers.get("content-type") or JSON,
    )


def body_of(request: Received) -> Any:
    """Return the JSON of a body, None where it is something else."""
    try:
        return request.json
    except Refusal:
        return None


SENDER = Sender(standard, made)

"""Sends what was found, and says what was not taken."""

from __future__ import annotations

import logging

from eventing.codec import Event
from eventing.sources.delivery import Delivery

log = logging.getLogger(__name__)


async def is_taken(delivery: Delivery, event: Event, what: str) -> bool:
    """Send an event; whether the sink took it. What it did not take stays where it is."""
    sent = await delivery.send(event)
    if not sent.accepted:
        facts = {"sink": delivery.sink, "id": event.text("id"), "error": str(sent)}
        log.warning("%s was not taken, and is sent again", what, extra=facts)
    return sent.accepted

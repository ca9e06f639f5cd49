"""What a sender is: how its requests are checked, what they become, how it is answered. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eventing.sources.webhook.made import Made
from eventing.sources.webhook.received import Received
from eventing.sources.webhook.signatures import Check

PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told."""

    status: int
    body: bytes = b""
    content_type: str = PLAIN
    retry_after: int = 0
    """Seconds; 0 says nothing."""


def nothing(request: Received) -> Answer | None:
    """Answer no request before it is sent on."""
    return None


def no_proof(request: Received) -> str:
    """Return nothing: the id is signed, or nothing is."""
    return ""


def of_body(request: Received) -> str:
    """Return what stands for a body of which alone the signature is."""
    return request.digest


def as_it_is(body: bytes, content_type: str) -> Answer:
    """Hand the sink's answer on."""
    return Answer(200, body, content_type or PLAIN)


@dataclass(frozen=True, slots=True)
class Sender:
    """One who sends webhooks."""

    check: Check
    """Raises Refusal for a request that another has sent."""
    made: Callable[[Received, str], Made]
    """The event of a request; the text is the source where the request tells none."""
    asked: Callable[[Received], Answer | None] = nothing
    """What is answered at once, after the check, and is no event."""
    unchecked: Callable[[Received], Answer | None] = nothing
    """What is answered before: requests that their senders do not sign and that do nothing."""
    replied: Callable[[bytes, str], Answer] = as_it_is
    """How an answer of the sink, of some media type, becomes the sender's."""
    accepted: int = 202
    seconds: float = 9.0
    """How long the sink may take: the sender waits a little longer (10 s are usual)."""
    proof: Callable[[Received], str] = no_proof
    """What is signed of a request, where the id is not: two deliveries of it are a replay."""

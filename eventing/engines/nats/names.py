"""Names of streams, consumers and subjects, and what is read off them. Pure."""

from __future__ import annotations

import re
from hashlib import blake2b

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,160}")
_ODD = re.compile(r"[^A-Za-z0-9_-]")

KEY = "hearth.dev/log"
"""In a stream's metadata: the key of its log."""
OWNER = "hearth.dev/owner"
"""In a stream's metadata: whose it is."""
CONSUMER = "hearth.dev/consumer"
"""In a consumer's metadata: its id."""
GROUP = "hearth"
"""Of those who pull of a consumer whose events one process at a time is given."""


def plain(text: str) -> str:
    """Return a text as a token of a subject: itself, or what a hash tells apart."""
    if _PLAIN.fullmatch(text):
        return text
    return f"{_ODD.sub('_', text)[:80]}_{blake2b(text.encode(), digest_size=8).hexdigest()}"


def stream_name(prefix: str, key: str) -> str:
    """Return the name of the stream of a log."""
    return f"{prefix}_{plain(key)}"


def aside_name(stream: str) -> str:
    """Return the name of the stream with what is kept beside a log."""
    return f"{stream}-aside"


def event_subject(prefix: str, stream: str) -> str:
    """Return the subject of a log's events."""
    return f"{prefix.lower()}.events.{stream}"


def aside_subject(prefix: str, stream: str) -> str:
    """Return what the subjects of a log's notes begin with; consumer and sequence follow."""
    return f"{prefix.lower()}.asides.{stream}"


def consumer_name(consumer_id: str, generation: int) -> str:
    """Return the name of a consumer. A moved one is a new one: it has the next generation."""
    return f"{plain(consumer_id)}-{generation}"


def generation_of(name: str) -> int:
    """Return the generation that a consumer's name says."""
    return int(name.rpartition("-")[2])


def delivery_of(reply: str) -> tuple[int, int]:
    """Return what the subject of acknowledgements names: sequence, and when it was stored (ns).

    ADR-15: ``$JS.ACK.stream.consumer.deliveries.sequence.delivery.time.pending``, or with domain
    and account before the stream and a token at the end.
    """
    tokens = reply.split(".")
    at = 5 if len(tokens) < 11 else 7
    return int(tokens[at]), int(tokens[at + 2])

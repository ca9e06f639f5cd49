"""Names of requests that are answered later: nobody guesses one, and each says when it ends. Pure.

A ticket is the moment of its end, chance, and a signature that holds for one Service. So no request
needs a record of its own before it is answered, and no result outlives its time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

CHANCE_BYTES = 11
_END_BYTES, _SIGNED_BYTES, _TICKET_BYTES = 5, 16, 32
_TICKET = re.compile(r"[A-Za-z0-9_-]{43}")


class Tickets:
    """Makes and reads tickets by a key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, service: tuple[str, str], ends: float, chance: bytes) -> str:
        """Return the ticket of a request to a Service (namespace, name) that is kept until then."""
        content = int(ends).to_bytes(_END_BYTES, "big") + chance
        return base64.urlsafe_b64encode(content + self._signature(service, content))[:-1].decode()

    def ends(self, service: tuple[str, str], ticket: str) -> float | None:
        """Return when a ticket ends (Unix seconds); None for what was not made here for it."""
        if _TICKET.fullmatch(ticket) is None:
            return None
        try:
            raw = base64.b64decode(ticket + "=", altchars=b"-_", validate=True)
        except binascii.Error:
            return None
        content, signature = raw[:-_SIGNED_BYTES], raw[-_SIGNED_BYTES:]
        if not hmac.compare_digest(signature, self._signature(service, content)):
            return None
        return float(int.from_bytes(content[:_END_BYTES], "big"))

    def _signature(self, service: tuple[str, str], content: bytes) -> bytes:
        text = "/".join(service).encode() + b"\0" + content
        return hmac.digest(self._key, text, hashlib.sha256)[:_SIGNED_BYTES]


def end_of(ticket: str) -> float | None:
    """Return when something that is called like a ticket ends, without asking whose it is."""
    if _TICKET.fullmatch(ticket) is None:
        return None
    return float(int.from_bytes(base64.urlsafe_b64decode(ticket + "=")[:_END_BYTES], "big"))

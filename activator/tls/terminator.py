"""What all TLS connections share: the certificates shown, limits and counters."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from dataclasses import dataclass

from activator.http.timers import Timers
from activator.tls.contexts import server_context
from activator.tls.names import NameMap
from activator.tls.transport import Handshake

MISSING_EXTENSION = 109
"""The alert for a client that says no name where one is needed (RFC 8446, section 9.2)."""


@dataclass(frozen=True, slots=True)
class TlsLimits:
    """What keeps clients that never end a handshake from taking the gateway down."""

    # nginx: client_header_timeout, 60 s; Go's ReadHeaderTimeout counts handshakes, usually 10 s.
    handshake_seconds: float = 10.0
    # At a time. Above it the one that has waited longest gives way, if it had its second.
    handshakes: int = 2000
    patience_seconds: float = 1.0


class Terminator:
    """Ends TLS in front of any protocol: ``wrap`` is a listener's door."""

    def __init__(self, timers: Timers, limits: TlsLimits | None = None) -> None:
        self.timers = timers
        self.limits = limits or TlsLimits()
        self.results: Counter[str] = Counter()
        """Handshakes by how they ended: ``ok``, or why not."""
        # When each began, the oldest first.
        self._pending: dict[Handshake, float] = {}
        self._is_watching = False
        self._names: NameMap[ssl.SSLContext] = NameMap({})
        self.context = server_context()
        self.context.sni_callback = self._choose

    def show(self, names: NameMap[ssl.SSLContext]) -> None:
        """From here on handshakes go by these; connections that are there go on as they are."""
        self._names = names

    @property
    def pending(self) -> int:
        """Handshakes under way."""
        return len(self._pending)

    def wrap(self, inner: asyncio.Protocol) -> asyncio.Protocol:
        """Return the protocol of a new connection, which gives plain bytes to ``inner``."""
        return Handshake(self, inner)

    def admit(self, handshake: Handshake) -> bool:
        """Whether another handshake may begin."""
        now = self.timers.clock()
        if len(self._pending) >= self.limits.handshakes:
            oldest, began = next(iter(self._pending.items()))
            if now - began < self.limits.patience_seconds:
                self.results["too many"] += 1
                return False
            oldest.give_up("too many")
        self._pending[handshake] = now
        if not self._is_watching:
            self._is_watching = True
            self.timers.watch(self, now + self.limits.handshake_seconds)
        return True

    def expire(self, now: float) -> None:
        """End the handshakes whose time is over; one timer is enough, for all have the same."""
        self._is_watching = False
        for handshake, began in list(self._pending.items()):
            due = began + self.limits.handshake_seconds
            if due > now:
                self._is_watching = True
                self.timers.watch(self, due)
                return
            handshake.give_up("timeout")

    def ended(self, handshake: Handshake, result: str) -> None:
        """A handshake is over."""
        if self._pending.pop(handshake, None) is not None:
            self.results[result] += 1

    def _choose(
        self, ssl_object: ssl.SSLObject, name: str | None, context: ssl.SSLContext
    ) -> int | None:
        """Show the certificate for a name; OpenSSL calls it, and an exception would be lost."""
        chosen = self._names.find(name)
        if chosen is not None:
            ssl_object.context = chosen
            return None
        if name is None:
            return MISSING_EXTENSION
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

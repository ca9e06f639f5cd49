"""What a web hook has agreed to: CloudEvents' handshake against abuse, as its sender. Pure.

==========  ===============================================  ==================================
state       what happens                                     what follows
==========  ===============================================  ==================================
unknown     an event is to be sent                           asking: OPTIONS is sent
asking      both ``WebHook-Allowed-*`` (a rate only where    granted, for an hour
            one was asked for)
asking      any other answer below 500                       denied, for a minute
asking      no answer, or 5xx without them                   unknown, attempts fail as such
denied      an event is to be sent                           403 (403 is not retried), or sent
                                                             where permission is not required
granted     a delivery is answered with 410                  gone: everything is answered with
                                                             410, until the target changes
granted     a delivery is answered with 429                  nothing is sent before the time of
                                                             ``Retry-After``
==========  ===============================================  ==================================

The origin that asked goes with each delivery, and deliveries keep the rate that was granted.
https://github.com/cloudevents/spec/blob/ce@v1.0.2/cloudevents/http-webhook.md, section 4.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from activator.http.fields import Field

GRANTED_SECONDS = 3600.0
DENIED_SECONDS = 60.0
_ANY = b"*"
_LONGEST_RATE = 9  # digits


@dataclass(frozen=True, slots=True)
class Handshake:
    """How permission is asked for."""

    origin: str
    """The DNS name of the sending system."""
    rate: int = 0
    """Requests a minute to ask for; 0 asks for none."""
    required: bool = True
    """Whether nothing is sent without permission."""

    def fields(self) -> list[Field]:
        """Return the fields of the validation request."""
        asked = [(b"webhook-request-origin", self.origin.encode())]
        return [*asked, (b"webhook-request-rate", b"%d" % self.rate)] if self.rate else asked


class State(enum.Enum):
    """What is known of a target."""

    UNKNOWN = "unknown"
    ASKING = "asking"
    GRANTED = "granted"
    DENIED = "denied"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Ask:
    """The target has to be asked first."""


@dataclass(frozen=True, slots=True)
class Wait:
    """It is being asked: wait for the answer."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing is sent; ``status`` stands for the target's answer."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send at a time, on the clock that was given, with the origin or without."""

    at: float
    tells_origin: bool


Decision = Ask | Wait | Refuse | Send
ASK, WAIT = Ask(), Wait()
_DENIED = Refuse(403, "the target gives no permission for deliveries")
_GONE = Refuse(410, "the target said that it is gone")


class Permission:
    """Of one target. Times are on one monotonic clock, in seconds."""

    __slots__ = ("_handshake", "_interval", "_next_at", "_until", "state")

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake
        self._interval = 0.0
        self._next_at = 0.0
        self._until = 0.0
        self.state = State.UNKNOWN

    def decide(self, now: float) -> Decision:
        """Return what becomes of a delivery; a Send takes its turn, an Ask begins asking."""
        if self.state is State.GONE:
            return _GONE
        if self.state is State.ASKING:
            return WAIT
        if self.state is State.UNKNOWN or now >= self._until:
            self.state = State.ASKING
            return ASK
        if self.state is State.DENIED and self._handshake.required:
            return _DENIED
        at = max(now, self._next_at)
        self._next_at = at + self._interval
        return Send(at, self.state is State.GRANTED)

    def answered(self, status: int, fields: Iterable[Field], now: float) -> None:
        """Take the answer to OPTIONS; 0 is no answer."""
        found = {name.lower(): value.strip() for name, value in fields}
        allowed = found.get(b"webhook-allowed-origin", b"")
        interval = self._interval_of(found.get(b"webhook-allowed-rate"))
        origin = self._handshake.origin.encode().lower()
        if allowed.lower() in (_ANY, origin) and interval is not None:
            self.state, self._until = State.GRANTED, now + GRANTED_SECONDS
            self._interval = interval
        elif status == 0 or status >= 500:
            self.state = State.UNKNOWN
        else:
            self.state, self._until = State.DENIED, now + DENIED_SECONDS
            self._interval = 0.0

    def _interval_of(self, rate: bytes | None) -> float | None:
        """Seconds between deliveries; None where the rate is no permission."""
        if rate is None:
            return None if self._handshake.rate else 0.0
        if rate == _ANY:
            return 0.0
        if not rate.isdigit() or len(rate) > _LONGEST_RATE or int(rate) == 0:
            return None
        return 60.0 / int(rate)

    def delivered(self, status: int, retry_after: float, now: float) -> None:
        """Take the answer to a delivery, and the seconds of its Retry-After."""
        if status == 410:
            self.state = State.GONE
        elif status == 429:
            self._next_at = max(self._next_at, now + retry_after)

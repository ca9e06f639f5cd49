"""RequestReply: an event goes into a Broker, and the event that answers it comes back.

A request gets an attribute that nobody can guess; the first event of the Broker that has it as its
reply attribute is the reply. Its parts are those of Knative's (the event's id, something secret,
the number of the pod), but the secret is made anew for each request and known to this process
alone: there is no key to keep or to change.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from time import monotonic

from activator.http.events import ResponseHead
from activator.http.fields import Field
from eventing.api.views import spec_of
from eventing.codec import CodecError, Event
from eventing.codec.binary import Header
from eventing.engines.event import StoredEvent
from eventing.engines.seam import Refused
from eventing.runtime.addressable import Addressable
from eventing.runtime.answers import Respond, answer, refusal
from eventing.runtime.config import IngressLimits
from eventing.runtime.intake import prepare
from eventing.runtime.places import BROKER, Place
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.durations import parse_iso8601_duration
from hearth.kube.meta import Object
from hearth.kube.timers import Timer

_TIMEOUT_SECONDS = 30.0
_LATE = answer(504, "no reply came in time")
_POD = 0
"""Whose request it is, the secret says alone."""


class RequestReplies:
    """Takes requests; ``find_object`` reads a RequestReply, ``find_broker`` what is open."""

    def __init__(
        self,
        find_object: Callable[[Place], Object | None],
        find_broker: Callable[[Place], Addressable | None],
        *,
        limits: IngressLimits,
        clock: Clock = wall_clock,
    ) -> None:
        self._find_object = find_object
        self._find_broker = find_broker
        self._limits = limits
        self._clock = clock
        self._waiting = 0

    def receive(
        self, place: Place, headers: Sequence[Header], events: Sequence[Event], respond: Respond
    ) -> None:
        """Take a request; raise Refused or CodecError where it cannot be taken."""
        obj = self._find_object(place)
        if obj is None:
            respond(answer(404, f"there is no {place}"))
            return
        if len(events) != 1:
            raise CodecError("one event is sent at a time where its reply is waited for")
        if self._waiting >= self._limits.waiting_requests:
            raise Refused("too many requests wait for their reply", status=429)
        spec = spec_of(obj)
        title = (spec.get("brokerRef") or {}).get("name", "")
        broker = self._find_broker(Place(BROKER, place.namespace, title))
        if broker is None:
            raise Refused(f"there is no broker {place.namespace}/{title}")
        [event] = events
        correlation = f"{event.text('id')}:{secrets.token_urlsafe(32)}:{_POD}"
        event.attributes[spec.get("correlationAttribute") or "correlationid"] = correlation
        event.head = None
        rendered = prepare(
            event,
            arrival_ns=int(self._clock() * 1e9),
            headers=headers,
            max_head_bytes=self._limits.attribute_bytes,
        )
        started = monotonic()
        waiting = _Waiting(self, broker, spec.get("replyAttribute") or "replyid", correlation)
        waiting.begin(_seconds(spec.get("timeout")), respond, since_ns=rendered.arrival_ns)

        def done(refused: Refused | None) -> None:
            status = 202 if refused is None else refused.status
            broker.counters.dispatched(status, monotonic() - started)
            if refused is not None:
                waiting.end(refusal(refused))

        try:
            broker.append((rendered,), done)
        except Refused as refused:
            done(refused)

    def count(self, change: int) -> None:
        """Note that requests began or ceased to wait."""
        self._waiting += change


class _Waiting:
    """One request that waits for its reply, and is answered once."""

    def __init__(
        self, owner: RequestReplies, broker: Addressable, attribute: str, correlation: str
    ) -> None:
        self._owner = owner
        self._broker = broker
        self._attribute = attribute
        self._correlation = correlation
        self._respond: Respond | None = None
        self._timer: Timer | None = None

    def begin(self, seconds: float, respond: Respond, *, since_ns: int) -> None:
        self._respond = respond
        self._owner.count(1)
        self._broker.expect(self._attribute, self._correlation, self._replied, since_ns=since_ns)
        self._timer = Timer(seconds, self.end, _LATE)

    def _replied(self, event: StoredEvent) -> None:
        self.end(ResponseHead.of(200, _fields(event.head), event.data))

    def end(self, head: ResponseHead) -> None:
        respond, self._respond = self._respond, None
        if respond is None:
            return
        self._owner.count(-1)
        self._broker.forget(self._attribute, self._correlation)
        if self._timer is not None:
            self._timer.cancel()
        respond(head)


def _seconds(timeout: str | None) -> float:
    try:
        return parse_iso8601_duration(timeout) if timeout else _TIMEOUT_SECONDS
    except ValueError:
        return _TIMEOUT_SECONDS


def _fields(head: bytes) -> list[Field]:
    """The header fields of an event's lines."""
    fields = []
    for line in head.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b": ")
        fields.append((name, value))
    return fields

"""Where events come in over HTTP; ``places`` says which requests are for what.

An application on the server half of ``activator.http``, without a task for each request. An event
is answered with 202 only when it is durable.

==========================  ========================================================
request                     answer
==========================  ========================================================
``OPTIONS``                 200, the abuse protection answer of the webhook spec
``POST``                    202, or 400 naming the attribute at fault, 404, 413, 415,
                            429 or 503 with Retry-After where the log takes none now;
                            401 or 403 by ``access.gate`` where that is asked
other methods               405
``GET /healthz``            200
==========================  ========================================================
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Protocol

from activator.http.events import Handler, Peer, Refusal, ResponseHead, ServerStream, Session
from activator.http.fields import Trailers
from activator.http.timers import Timers
from eventing.api.keys import SYSTEM_NAMESPACE
from eventing.codec import CodecError, Event, decode
from eventing.codec.binary import Header
from eventing.engines.event import RenderedEvent
from eventing.engines.seam import Appended, Refused
from eventing.runtime.access.keys import Denied
from eventing.runtime.answers import Exchange, LooksUp, answer, refusal
from eventing.runtime.asyncs.exchange import Asyncs
from eventing.runtime.config import IngressLimits
from eventing.runtime.intake import prepare, prepare_unstamped
from eventing.runtime.metrics import EndpointCounters
from eventing.runtime.places import BROKER, BadPath, Place, place_of
from eventing.runtime.tracing.ingress import IngressTracing, Request
from eventing.runtime.wholerequests import ANSWERED, WholeRequest, server_of
from hearth.kube.clock import Clock, wall_clock
from hearth.observability.traces.tracer import Tracer
from serving.api.asyncrequests import AT_BROKER

log = logging.getLogger(__name__)

ACCEPTED = answer(202)
_HEALTHY = answer(200)
_WEBHOOK = answer(200, fields=((b"webhook-allowed-origin", b"*"), (b"webhook-allowed-rate", b"*")))
_NOT_ENCRYPTED = answer(403, "events are sent with https here")
_NOT_ALLOWED = answer(405, "events are sent with POST")
_TOO_SLOW = answer(408, "the request does not become whole", closes=True)


class Intake(Protocol):
    """What the ingress needs of an addressable."""

    place: Place
    """Where it is, by its whole name."""

    @property
    def counters(self) -> EndpointCounters:
        """Where answers are counted."""

    def append(self, events: Sequence[RenderedEvent], done: Appended) -> None:
        """Append all or none; see ``EventLog.append``."""


class Guard(Protocol):
    """Whom the ingress asks whether producers may send."""

    @property
    def is_shut(self) -> bool:
        """Whether it is to be asked."""

    def check(self, place: Place, headers: Sequence[Header], events: Iterable[Event]) -> None:
        """Return where all may be sent; raise Denied or Refused."""


_NO_EXCHANGES: Mapping[str, Exchange] = {}

FindPlace = Callable[[Place], Intake | None]
"""Returns what is at a place; raises Refused where it is not open yet."""


class Ingress:
    """The listener and its application; ``find`` answers what is where."""

    def __init__(
        self,
        find: FindPlace,
        *,
        limits: IngressLimits,
        clock: Clock = wall_clock,
        guard: Guard | None = None,
        tracer: Tracer | None = None,
        turned_away: Callable[[int], None] = lambda status: None,
        exchanges: Mapping[str, Exchange] = _NO_EXCHANGES,
        questions: LooksUp | None = None,
        takes_plain: Callable[[], bool] = lambda: True,
        asyncs: Asyncs | None = None,
    ) -> None:
        self.limits = limits
        self.timers = Timers()
        self._find = find
        self._guard = guard
        self._tracer = tracer or Tracer("broker", SYSTEM_NAMESPACE)
        self._count_turned_away = turned_away
        self._tracing = IngressTracing(self._tracer, clock)
        self._exchanges = exchanges
        self._questions = questions
        self._takes_plain = takes_plain
        self._asyncs = asyncs
        self._plain = _Plain(asyncs)
        self._clock = clock
        self._too_large = answer(413, f"events of more than {limits.event_bytes} bytes are refused")
        self._server = server_of(self.timers, limits, refuse=_refuse)

    async def start(self, host: str, port: int, *, held: socket.socket | None = None) -> int:
        """Listen, by a socket that others hold where there is one; return the port."""
        _, port = await self._server.listen(host, port, self._session, held=held)
        return port

    async def start_tls(self, host: str, port: int, context: ssl.SSLContext) -> int:
        """Listen with TLS as well; return the port."""
        _, port = await self._server.listen(host, port, self._session, tls=context)
        return port

    async def stop(self, *, grace_seconds: float) -> None:
        """Listen no more, answer what is pending, close."""
        await self._server.drain(grace_seconds)

    # -- the application ---------------------------------------------------------------------

    def _session(self, peer: Peer) -> Session:
        return self if self._takes_plain() or peer.scheme == b"https" else self._plain

    def request(self, stream: ServerStream) -> Handler:
        """Take a request whose head has come."""
        head = stream.head
        if self._asyncs is not None and head.target.startswith(AT_BROKER):
            return self._asyncs.request(stream)
        if head.method == b"GET" and self._questions is not None:
            place = self._questions.place(head.target)
            if place is not None:
                return self._look_up(place, self._questions, stream)
        if head.method != b"POST":
            stream.send_head(_answer_to_other(head.method, head.target), True)
        elif head.length > self.limits.event_bytes:
            stream.send_head(self._too_large, True)
        else:
            return WholeRequest(self, stream)
        return ANSWERED

    def _look_up(self, place: Place, questions: LooksUp, stream: ServerStream) -> Handler:
        """Answer how something is to whom it may be told."""
        question, head = _Question(stream), stream.head
        try:
            if self._guard is not None and self._guard.is_shut:
                self._guard.check(place, head.fields, ())
            questions.look_up(place, head.target, question.answer)
        except Denied as error:
            question.answer(_denial(error))
        except Refused as refused:
            question.answer(refusal(refused))
        return question

    def receive(self, request: Request, body: bytes) -> None:
        """Take in the events of a whole POST; it is answered now or when they are durable."""
        try:
            self._receive(request, body)
        except CodecError as error:
            self._turn_away(request, answer(error.status, str(error)))
        except BadPath as error:
            self._turn_away(request, answer(error.status, str(error)))
        except Denied as error:
            self._turn_away(request, _denial(error))
        except Refused as refused:
            self._turn_away(request, refusal(refused))
        except Exception:
            # A fault of ours must neither pass for the producer's nor leave it without an answer.
            log.exception("a request failed")
            self._turn_away(request, answer(500, "internal error", closes=True))

    def _receive(self, request: Request, body: bytes) -> None:
        head = request.stream.head
        headers = head.fields
        events = decode(headers, body)
        place = place_of(head.authority, head.target)
        if place.kind in self._exchanges:
            self._guard_against(place, headers, events)
            if self._tracer.is_on:
                request = self._tracing.exchanged(request, place, events)
                headers = head.fields
            self._exchanges[place.kind].receive(place, headers, events, request.answer)
            return
        intake = self._find(place)
        if intake is None:
            self._turn_away(request, answer(404, f"there is no {place}"))
            return
        self._guard_against(intake.place, headers, events)
        arrival_ns = int(self._clock() * 1e9)
        limit = self.limits.attribute_bytes
        render = prepare if place.kind == BROKER else prepare_unstamped
        prepared = [
            render(event, arrival_ns=arrival_ns, headers=headers, max_head_bytes=limit)
            for event in events
        ]
        if prepared:
            if self._tracer.is_on:
                request = self._tracing.taken(request, place, prepared)
            _append(intake, prepared, request)
        else:
            request.answer(ACCEPTED)

    def _turn_away(self, request: Request, head: ResponseHead) -> None:
        self._count_turned_away(head.status)
        if self._tracer.is_on:
            request = self._tracing.refused(request)
        request.answer(head)

    def _guard_against(
        self, place: Place, headers: Sequence[Header], events: Iterable[Event]
    ) -> None:
        if self._guard is not None and self._guard.is_shut:
            self._guard.check(place, headers, events)

    def refuse_size(self, request: WholeRequest) -> None:
        """Answer a body that has grown too large."""
        request.answer(self._too_large)

    def too_slow(self) -> ResponseHead:
        """Return the answer to a request that does not become whole."""
        return _TOO_SLOW


def _append(intake: Intake, events: Sequence[RenderedEvent], request: Request) -> None:
    """Answer once all events of a request are durable (more than one only in a batch)."""
    started = monotonic()

    def done(refused: Refused | None) -> None:
        status = 202 if refused is None else refused.status
        intake.counters.dispatched(status, monotonic() - started)
        request.answer(ACCEPTED if refused is None else refusal(refused))

    try:
        intake.append(events, done)
    except Refused as refused:
        done(refused)


def _answer_to_other(method: bytes, target: bytes) -> ResponseHead:
    if method == b"OPTIONS":
        return _WEBHOOK
    if method == b"GET" and target == b"/healthz":
        return _HEALTHY
    return _NOT_ALLOWED


def _refuse(refused: Refusal) -> ResponseHead:
    """Answer what is no request that could be read."""
    return answer(refused.status, refused.text, refused.fields, closes=refused.closes)


class _Plain:
    """Takes no events: they are sent encrypted (``transport-encryption: strict``).

    The gateway sends us requests that are no events.
    """

    def __init__(self, asyncs: Asyncs | None) -> None:
        self._asyncs = asyncs

    def request(self, stream: ServerStream) -> Handler:
        """Answer that, and whether the process is healthy."""
        head = stream.head
        if self._asyncs is not None and head.target.startswith(AT_BROKER):
            return self._asyncs.request(stream)
        healthy = head.method == b"GET" and head.target == b"/healthz"
        stream.send_head(_HEALTHY if healthy else _NOT_ENCRYPTED, True)
        return ANSWERED


class _Question:
    """A GET that is answered later."""

    __slots__ = ("_is_over", "_stream")

    def __init__(self, stream: ServerStream) -> None:
        self._stream = stream
        self._is_over = False

    def answer(self, head: ResponseHead) -> None:
        """Answer, unless nobody is there any more."""
        if not self._is_over:
            self._is_over = True
            self._stream.send_head(head, True)

    def on_body(self, data: bytes) -> None:
        """A question has none that counts."""

    def on_end(self, trailers: Trailers) -> None:
        """The answer does not wait for it."""

    def on_reset(self, refusal: Refusal | None) -> None:
        """Nobody is there any more."""
        self._is_over = True

    def on_window(self, is_open: bool) -> None:
        """Answers are small."""

    def on_deadline(self, now: float) -> None:
        """None is set."""


def _denial(denied: Denied) -> ResponseHead:
    asks = ((b"www-authenticate", b"Bearer"),) if denied.status == 401 else ()
    return answer(denied.status, str(denied), asks)

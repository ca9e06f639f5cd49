"""What becomes of requests that are answered later.

======================================  =========================================================
request, all behind ``/async/NS/NAME``  answer
======================================  =========================================================
``ANY /accept/PATH``                    202 and where its result will be, once it is durable; 429
                                        and 503 with Retry-After where there is no room, or not yet
``POST /run``                           of the log's subscription: the Service has answered, and its
                                        result is kept; its 5xx and 429 where it is tried again
``POST /failed``                        of the same, as a dead letter sink: the last answer counts
``GET /results/TICKET``                 202 with Retry-After, then the result; 410 after its time
======================================  =========================================================

The log is the channel of a Sequence that control has made (``eventing.kinds.asyncservice``), its
subscription sends and tries again as all do, and a callback gets the result as a reply.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from activator.http.events import Handler, ResponseHead, ServerStream
from activator.http.fields import Field, find_field
from activator.http.timers import Timers
from eventing.codec import CodecError, Event, decode
from eventing.engines.seam import Refused
from eventing.runtime.addressable import Addressable
from eventing.runtime.answering import Answering
from eventing.runtime.answers import answer, refusal
from eventing.runtime.asyncs.carrying import Carrier
from eventing.runtime.asyncs.messages import Asked, location_of, own_fields
from eventing.runtime.asyncs.results import Results, Service
from eventing.runtime.asyncs.tickets import CHANCE_BYTES, Tickets
from eventing.runtime.client import DeliveryClient
from eventing.runtime.config import IngressLimits
from eventing.runtime.intake import prepare_unstamped
from eventing.runtime.places import CHANNEL, Place
from eventing.runtime.target import Address
from eventing.runtime.wholerequests import ANSWERED, WholeRequest
from hearth.kube.clock import Clock, wall_clock
from serving.api import asyncrequests as words

MOST_RESULT_BYTES = 256 * 1024 * 1024
"""Of one Service's results together."""
_AT_ONCE = 10_000
_AGAIN_SECONDS = 5
_OFFERED: Field = (b"preference-applied", b"respond-async")
_PENDING: Field = (words.STATE_FIELD, b"pending")

Find = Callable[[Place], Addressable | None]


class Asyncs:
    """Takes such requests in, and answers for them; an application of the ingress."""

    def __init__(
        self,
        find: Find,
        client: DeliveryClient,
        *,
        gateway: Address | None,
        folder: Path,
        limits: IngressLimits | None = None,
        clock: Clock = wall_clock,
    ) -> None:
        """``find`` raises Refused for a channel that is being opened."""
        self.limits = limits or IngressLimits()
        self.timers = Timers()
        self.results = Results(folder, clock)
        self._carrier = Carrier(client, gateway, self.results, self._is_over)
        self._find = find
        self._clock = clock
        self._known_tickets: Tickets | None = None
        self._answering = Answering("async", _AT_ONCE, "too many requests are under way")
        size = self.limits.event_bytes
        self._too_large = answer(413, f"requests of more than {size} bytes are not answered later")

    @property
    def _tickets(self) -> Tickets:
        if self._known_tickets is None:
            self._known_tickets = Tickets(self.results.key())
        return self._known_tickets

    # -- the application ---------------------------------------------------------------------

    def request(self, stream: ServerStream) -> Handler:
        """Take a request whose head has come."""
        if stream.head.length > self.limits.event_bytes:
            stream.send_head(self._too_large, True)
            return ANSWERED
        return WholeRequest(self, stream)

    def refuse_size(self, request: WholeRequest) -> None:
        """Answer a body that has grown too large."""
        request.answer(self._too_large)

    def too_slow(self) -> ResponseHead:
        """Return the answer to a request that does not become whole."""
        return answer(408, "the request does not become whole", closes=True)

    def receive(self, request: WholeRequest, body: bytes) -> None:
        """Answer a whole request, now or later."""
        path = request.stream.head.target.removeprefix(words.AT_BROKER)
        namespace, _, rest = path.partition(b"/")
        name, _, rest = rest.partition(b"/")
        action, _, rest = rest.partition(b"/")
        service = namespace.decode("latin-1"), name.decode("latin-1")
        word, _, query = action.partition(b"?")
        try:
            match word:
                case words.ACCEPT:
                    self._accept(service, request, b"/" + rest, body)
                case words.RUN:
                    ticket, event = self._event(service, request, body)
                    work = self._carrier.run(service, ticket, event, tells=query == b"callback")
                    self._answering.begin(work, request.answer)
                case words.FAILED:
                    ticket, event = self._event(service, request, body)
                    work = self._carrier.failed(service, ticket, event, _callback(query))
                    self._answering.begin(work, request.answer)
                case words.LOOK_UP:
                    work = self._look_up(service, rest.partition(b"?")[0].decode("latin-1"))
                    self._answering.begin(work, request.answer)
                case _:
                    request.answer(answer(404, "there is no such thing"))
        except CodecError as error:
            request.answer(answer(error.status, str(error)))
        except Refused as refused:
            request.answer(refusal(refused))

    # -- in ------------------------------------------------------------------------------------

    def _accept(self, service: Service, request: WholeRequest, target: bytes, body: bytes) -> None:
        head = request.stream.head
        options = words.read_told(find_field(head.fields, words.OPTIONS_FIELD) or b"")
        addressable = self._open(service, options.pending)
        ends = self._clock() + options.retention
        ticket = self._tickets.make(service, ends, secrets.token_bytes(CHANCE_BYTES))
        host = find_field(head.fields, words.HOST_FIELD) or head.authority
        asked = Asked(head.method, target, host, own_fields(head.fields), body)
        event = prepare_unstamped(
            asked.event(service, ticket), arrival_ns=int(self._clock() * 1e9), headers=head.fields
        )

        def done(refused: Refused | None) -> None:
            if refused is not None:
                request.answer(refusal(refused))
                return
            where = (b"location", location_of(service, ticket))
            fields = (where, _OFFERED, (b"retry-after", b"1"), _PENDING)
            request.answer(_plain(202, "accepted: the answer will be there", fields))

        addressable.append([event], done)

    def _open(self, service: Service, most: int) -> Addressable:
        """Return where a request of a Service is kept; raise Refused where it cannot be."""
        channel = Place(CHANNEL, service[0], f"{words.flow_name(service[1])}-kn-sequence-0")
        addressable = self._find(channel)
        subscription = next(iter(addressable.subscriptions), None) if addressable else None
        if addressable is None or subscription is None:
            raise Refused(f"no requests are kept for {service[1]} yet", retry_after=1)
        pending = addressable.log.lag(subscription.spec.uid) or 0
        if pending >= most:
            text = f"{pending} requests of {service[1]} wait, which is as many as may"
            raise Refused(text, status=429, retry_after=_AGAIN_SECONDS)
        if self.results.sizes[service] >= MOST_RESULT_BYTES:
            text = f"the results of {service[1]} take {MOST_RESULT_BYTES} bytes, which is the most"
            raise Refused(text, status=429, retry_after=_AGAIN_SECONDS)
        return addressable

    # -- to the Service and out ---------------------------------------------------------------

    def _event(self, service: Service, request: WholeRequest, body: bytes) -> tuple[str, Event]:
        """Return a request that was taken in here; raise CodecError for any other."""
        events = decode(request.stream.head.fields, body)
        ticket = events[0].text("id") or "" if len(events) == 1 else ""
        if self._tickets.ends(service, ticket) is None:
            raise CodecError("the event is no request that was taken in here")
        return ticket, events[0]

    async def _look_up(self, service: Service, ticket: str) -> ResponseHead:
        if self._tickets.ends(service, ticket) is None:
            return _plain(404, "there is no such request")
        if self._is_over(service, ticket):
            return _plain(410, "its time is over: the result is no longer kept")
        result = await asyncio.to_thread(self.results.read, service, ticket)
        if result is None:
            return _plain(202, "not answered yet", ((b"retry-after", b"1"), _PENDING))
        return result.head()

    def _is_over(self, service: Service, ticket: str) -> bool:
        return (self._tickets.ends(service, ticket) or 0.0) <= self._clock()

    async def close(self) -> None:
        """Give up what is under way; the log has it."""
        await self._answering.close()


def _callback(query: bytes) -> str:
    return parse_qs(query.decode("latin-1")).get("callback", [""])[0]


def _plain(status: int, text: str, fields: tuple[Field, ...] = ()) -> ResponseHead:
    kind = ((b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"))
    return ResponseHead.of(status, (*kind, *fields), f"{text}\n".encode())

"""Brings requests that are answered later to their Service, and results to who asked for them.

Both are what the log's subscription asks for: it sends, waits and tries again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from activator.http.events import ResponseHead
from activator.http.fields import Field
from eventing.codec import Event, render_head
from eventing.runtime.answering import ask
from eventing.runtime.answers import answer
from eventing.runtime.asyncs.messages import Asked, Result, failure, own_fields
from eventing.runtime.asyncs.results import Results, Service
from eventing.runtime.client import Answer, DeliveryClient
from eventing.runtime.policy import DEFAULT_TIMEOUT_SECONDS, is_success
from eventing.runtime.target import Address, BadTarget, Target, parse_target

_TIMEOUT_SECONDS = DEFAULT_TIMEOUT_SECONDS - 5
"""A little less than the subscription waits for us."""
_TOLD_AGAIN = (b"retry-after", b"x-hearth-capacity")


class Carrier:
    """Asks Services through the gateway, and keeps what they answer."""

    def __init__(
        self,
        client: DeliveryClient,
        gateway: Address | None,
        results: Results,
        is_over: Callable[[Service, str], bool],
    ) -> None:
        """``is_over`` says whether nobody may ask for a ticket's result any more."""
        self._client = client
        self._gateway = gateway
        self._results = results
        self._is_over = is_over

    async def run(
        self, service: Service, ticket: str, event: Event, *, tells: bool
    ) -> ResponseHead:
        """Have the Service answer, and keep its answer."""
        if self._is_over(service, ticket):
            return answer(200, "its time is over")
        result = await asyncio.to_thread(self._results.read, service, ticket)
        if result is None:
            got = await self._ask(Asked.of(event), ticket)
            if _is_tried_again(got):
                return await self._not_yet(service, ticket, got)
            result = Result(got.status, own_fields(got.fields), got.body)
            await asyncio.to_thread(self._results.write, service, ticket, result)
        return _event_answer(result.event(service, ticket)) if tells else answer(200)

    async def _ask(self, asked: Asked, ticket: str) -> Answer:
        if self._gateway is None:
            return Answer(None, error="this broker knows no gateway")
        host = asked.host.decode("latin-1")
        target = Target(f"http://{host}", self._gateway, None, asked.host, asked.target)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def resolve(got: Answer) -> None:
            if not answered.done():
                answered.set_result(got)

        self._client.send(target, asked.request(ticket), resolve, timeout_seconds=_TIMEOUT_SECONDS)
        return await answered

    async def _not_yet(self, service: Service, ticket: str, got: Answer) -> ResponseHead:
        if got.status:
            last = Result(got.status, own_fields(got.fields), got.body)
            await asyncio.to_thread(self._results.note_failure, service, ticket, last)
        fields = tuple(field for field in got.fields if field[0] in _TOLD_AGAIN)
        return answer(got.status or 502, got.error, fields)

    async def failed(
        self, service: Service, ticket: str, event: Event, callback: str
    ) -> ResponseHead:
        """Keep the last answer of a request that is given up, and tell who wants to know."""
        if self._is_over(service, ticket):
            return answer(200, "its time is over")
        result = await asyncio.to_thread(self._results.failure, service, ticket)
        known = event.attributes
        last = result or failure(known.get("knativeerrorcode"), known.get("knativeerrordata"))
        await asyncio.to_thread(self._results.write, service, ticket, last)
        if not callback or await self._tell(callback, last.event(service, ticket)):
            return answer(200)
        return answer(502, "the callback takes nothing")

    async def _tell(self, callback: str, event: Event) -> bool:
        try:
            target = parse_target(callback, self._gateway)
        except BadTarget:
            return True
        fields = _fields_of(event)
        got = await ask(
            self._client, target, fields, event.data or b"", timeout_seconds=_TIMEOUT_SECONDS
        )
        return is_success(got.status)


def _is_tried_again(got: Answer) -> bool:
    return got.status == 0 or got.status == 429 or got.status >= 500


def _fields_of(event: Event) -> tuple[Field, ...]:
    lines = render_head(event).split(b"\r\n")[:-1]
    return tuple((name, value) for name, _, value in (line.partition(b": ") for line in lines))


def _event_answer(event: Event) -> ResponseHead:
    return ResponseHead.of(200, _fields_of(event), event.data or b"")

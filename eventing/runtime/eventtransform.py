"""EventTransform: an event is made into another, which is the answer or goes to a sink.

===========================  ====================================================================
spec                         answer
===========================  ====================================================================
no ``sink``                  200 with what the expression gives
``sink``                     the sink's status and its reply, as it came
``sink``, ``reply.jsonata``  the sink's status, and what the reply's expression gives
``sink``, ``reply.discard``  the sink's status
an expression that fails     500 with the reason
a sink that does not answer  502
===========================  ====================================================================

Expressions run in a few threads of their own, each for a second at most: what is taken in and
delivered meanwhile goes on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson

from activator.http.events import ResponseHead
from activator.http.fields import Field
from eventing.api.views import spec_of, status_of
from eventing.codec import CodecError, Event, decode_reply, encode_structured
from eventing.codec.binary import Header
from eventing.runtime.answering import Answering, ask
from eventing.runtime.answers import Respond, answer, reason_field
from eventing.runtime.client import Answer, DeliveryClient
from eventing.runtime.intake import is_forwarded
from eventing.runtime.places import Place
from eventing.runtime.target import Address, BadTarget, Bearer, Target, parse_target
from eventing.transforms.jsonata import Expression, TransformError, content_type_of
from hearth.kube.meta import Object, namespace

_AT_ONCE = 1000
_THREADS = 4
_TIMEOUT_SECONDS = 60.0
_PER_THREAD = threading.local()


class EventTransforms:
    """Transforms events; ``find`` reads an EventTransform."""

    def __init__(
        self,
        find: Callable[[Place], Object | None],
        client: DeliveryClient,
        *,
        gateway: Address | None,
    ) -> None:
        self._find = find
        self._client = client
        self._gateway = gateway
        self._threads: ThreadPoolExecutor | None = None
        self._answering = Answering(
            "eventtransform", _AT_ONCE, "too many events are being transformed"
        )

    def receive(
        self, place: Place, headers: Sequence[Header], events: Sequence[Event], respond: Respond
    ) -> None:
        """Take an event; raise Refused or CodecError where it cannot be taken."""
        obj = self._find(place)
        if obj is None:
            respond(answer(404, f"there is no {place}"))
            return
        if len(events) != 1:
            raise CodecError("one event is transformed at a time")
        forwarded = [header for header in headers if is_forwarded(header[0])]
        self._answering.begin(self._answered(obj, forwarded, events[0]), respond)

    async def _answered(self, obj: Object, forwarded: list[Field], event: Event) -> ResponseHead:
        try:
            return await self._exchange(obj, forwarded, event)
        except (TransformError, BadTarget) as error:
            return answer(500, str(error), (reason_field(str(error)),))

    async def _exchange(self, obj: Object, forwarded: list[Field], event: Event) -> ResponseHead:
        spec = spec_of(obj)
        content_type, body = await self._made(spec, encode_structured(event))
        if not spec.get("sink"):
            return ResponseHead.of(200, (content_type,), body)
        target = _sink_of(obj, self._gateway)
        fields = (content_type, *forwarded)
        got = await ask(self._client, target, fields, body, timeout_seconds=_TIMEOUT_SECONDS)
        if not got.status:
            return answer(502, f"{target.url} does not answer: {got.error}")
        reply = spec.get("reply") or {}
        if reply.get("discard"):
            return ResponseHead.of(got.status)
        if not reply.get("jsonata"):
            return ResponseHead.of(got.status, _of_event(got.fields), got.body)
        content_type, body = await self._made(reply, _as_json(got))
        return ResponseHead.of(got.status, (content_type,), body)

    async def _made(self, given: dict[str, Any], value: bytes) -> tuple[Field, bytes]:
        text = (given.get("jsonata") or {}).get("expression", "")
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="transform")
        loop = asyncio.get_running_loop()
        content_type, body = await loop.run_in_executor(self._threads, _evaluate, text, value)
        return (b"content-type", content_type), body

    async def close(self) -> None:
        """Transform no more."""
        await self._answering.close()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


def _evaluate(text: str, value: bytes) -> tuple[bytes, bytes]:
    """In a thread: compiled expressions are not shared between them."""
    compiled = getattr(_PER_THREAD, "compiled", None)
    if compiled is None:
        compiled = _PER_THREAD.compiled = lru_cache(maxsize=256)(Expression)
    result = compiled(text).evaluate(orjson.loads(value))
    try:
        body = orjson.dumps(result)
    except TypeError as error:
        raise TransformError(f"the result is no JSON: {error}") from error
    content_type = content_type_of(result)
    if not content_type.isascii() or not content_type.isprintable():
        raise TransformError(f"{content_type!r} is no content type")
    return content_type.encode(), body


def _sink_of(obj: Object, gateway: Address | None) -> Target:
    """Where the result goes, and who it is from where that must be said."""
    status = status_of(obj)
    url, audience = status.get("sinkUri"), status.get("sinkAudience")
    if not url:
        raise BadTarget("the sink has no address")
    account = (status.get("auth") or {}).get("serviceAccountName")
    bearer = Bearer(namespace(obj), account, audience) if account and audience else None
    target = parse_target(url, gateway)
    return replace(target, ca_certs=status.get("sinkCACerts") or None, bearer=bearer)


def _of_event(fields: Sequence[Field]) -> list[Field]:
    """What makes a reply an event goes on."""
    return [each for each in fields if each[0] == b"content-type" or each[0].startswith(b"ce-")]


def _as_json(got: Answer) -> bytes:
    """A reply as its expression sees it: an event, else JSON, else text."""
    try:
        event = decode_reply(got.fields, got.body)
    except CodecError:
        event = None
    if event is not None:
        return encode_structured(event)
    try:
        orjson.loads(got.body)
    except orjson.JSONDecodeError:
        return orjson.dumps(got.body.decode(errors="replace"))
    return got.body

"""Where webhooks come in: ``POST /NAMESPACE/NAME``, behind the gateway.

==========================  ========================================================================
answer                      when
==========================  ========================================================================
202 (Slack: 200)            the sink took the event, or had taken it before
200                         no event: Slack asks for a challenge, Bitbucket tests the connection
400, 413, 415               no event can be made of it; too large; not JSON, or compressed
401                         signature or secret are wrong, the time is too far away
404, 405                    there is no such WebhookSource; webhooks are sent with POST
408                         the request does not become whole
409                         a signed request came again under another id
429                         too many requests of one WebhookSource wait
502                         the sink refuses the event for good
503 and Retry-After         the sink does not answer, or says later; a secret cannot be read
==========================  ========================================================================
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote

from activator.http import events
from activator.http.events import Handler, Peer, RequestHead, ResponseHead, ServerStream
from activator.http.timers import Timers
from eventing.runtime.config import IngressLimits
from eventing.runtime.wholerequests import ANSWERED, WholeRequest, server_of
from eventing.sources.webhook.metrics import REQUESTS
from eventing.sources.webhook.received import Received, Refusal
from eventing.sources.webhook.senders.seam import Answer
from eventing.sources.webhook.taking import FAILED, Served, TryAgain, taken
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.meta import Key, key_text

log = logging.getLogger(__name__)

LIMITS = IngressLimits(
    pipelined=4, head_seconds=10.0, request_seconds=15.0, idle_seconds=120.0, header_bytes=16 * 1024
)
MOST_WAITING = 32
"""Requests of one WebhookSource that are under way; they are told to come again."""
_MOST_QUERY_FIELDS = 100

Find = Callable[[Key], Served | None]


class Receiver:
    """The listener and its application; ``find`` answers which WebhookSources there are."""

    def __init__(
        self, find: Find, *, limits: IngressLimits = LIMITS, clock: Clock = wall_clock
    ) -> None:
        self.limits = limits
        self.timers = Timers()
        self._find = find
        self._clock = clock
        self._open: dict[Key, list[WholeRequest]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = server_of(self.timers, limits, refuse=_refuse)

    async def start(self, host: str, port: int, *, held: socket.socket | None = None) -> int:
        """Listen, by a socket that others hold where there is one; return the port."""
        _, port = await self._server.listen(host, port, self._session, held=held)
        return port

    async def stop(self, *, grace_seconds: float) -> None:
        """Listen no more, answer who waits, close."""
        await self._server.drain(grace_seconds)
        for task in list(self._tasks):
            task.cancel()

    def _session(self, _peer: Peer) -> Receiver:
        return self

    def request(self, stream: ServerStream) -> Handler:
        """Take a request whose head has come."""
        head = stream.head
        key, _ = _place(head)
        if head.method != b"POST":
            is_probe = head.target == b"/healthz"
            answer = Answer(200) if is_probe else Answer(405, b"webhooks are sent with POST")
            stream.send_head(_head(answer), True)
            return ANSWERED
        if self._find(key) is None:
            stream.send_head(
                _head(Answer(404, b"there is no such WebhookSource, or not yet")), True
            )
            return ANSWERED
        waiting = [each for each in self._open.get(key, ()) if not each.is_over]
        if len(waiting) >= MOST_WAITING:
            _count(key, "busy")
            busy = Answer(429, b"too many requests of this WebhookSource wait", retry_after=5)
            stream.send_head(_head(busy), True)
            return ANSWERED
        request = WholeRequest(self, stream)
        self._open[key] = [*waiting, request]
        return request

    def receive(self, request: WholeRequest, body: bytes) -> None:
        """Answer a whole request in a task."""
        if len(body) > self.limits.event_bytes:
            self.refuse_size(request)
            return
        task = asyncio.create_task(self._answer(request, body), name="webhook")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refuse_size(self, request: WholeRequest) -> None:
        """Answer a body that has grown too large."""
        key, _ = _place(request.stream.head)
        _count(key, "refused")
        text = f"webhooks of more than {self.limits.event_bytes} bytes are refused"
        request.answer(_head(Answer(413, text.encode())))

    def too_slow(self) -> ResponseHead:
        """Return the answer to a request that does not become whole."""
        return _head(Answer(408, b"the request does not become whole"), closes=True)

    async def _answer(self, request: WholeRequest, body: bytes) -> None:
        key, rest = _place(request.stream.head)
        try:
            answer = await self._taken(key, _received(request.stream.head, body, rest))
        except Exception:
            log.exception("a webhook's request failed", extra={"key": key_text(key)})
            _count(key, FAILED)
            answer = Answer(500, b"internal error: the receiver's log has it")
        request.answer(_head(answer))
        self._open[key] = [each for each in self._open[key] if not each.is_over]

    async def _taken(self, key: Key, request: Received) -> Answer:
        served = self._find(key)
        if served is None:
            return Answer(404, b"the WebhookSource is gone")
        try:
            if request.headers.get("content-encoding", "identity").lower() != "identity":
                raise Refusal(415, "the body is compressed, which is not understood here")
            result, answer = await taken(served, request, self._clock)
        except Refusal as refusal:
            _count(key, FAILED if refusal.status >= 500 else "refused")
            log.info("request refused", extra={"key": key_text(key), "why": refusal.text})
            after = refusal.retry_after if isinstance(refusal, TryAgain) else 0
            return Answer(refusal.status, refusal.text.encode(), retry_after=after)
        _count(key, result)
        return answer


def _place(head: RequestHead) -> tuple[Key, str]:
    """Namespace and name of a WebhookSource, and what follows them in the path."""
    path = head.target.partition(b"?")[0].decode("latin-1")
    parts = path.split("/", 3)
    if len(parts) < 3 or parts[0]:
        return ("", ""), ""
    return (parts[1], parts[2]), unquote(parts[3]) if len(parts) > 3 else ""


def _received(head: RequestHead, body: bytes, rest: str) -> Received:
    headers: dict[str, str] = {}
    for name, value in head.fields:
        # A header that came twice is the first one, as for those who sign.
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").strip())
    query = head.target.partition(b"?")[2].decode("latin-1")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_QUERY_FIELDS)
    except ValueError:
        pairs = []
    return Received(body, headers, dict(pairs), rest)


def _head(answer: Answer, *, closes: bool = False) -> ResponseHead:
    fields = [(b"content-type", answer.content_type.encode("latin-1", "replace"))]
    if answer.retry_after:
        fields.append((b"retry-after", b"%d" % answer.retry_after))
    if answer.status == 405:
        fields.append((b"allow", b"POST"))
    return ResponseHead.of(answer.status, fields, answer.body, closes=closes)


def _refuse(refusal: events.Refusal) -> ResponseHead:
    return _head(Answer(refusal.status, refusal.text.encode()), closes=refusal.closes)


def _count(key: Key, result: str) -> None:
    REQUESTS.labels(namespace=key[0], name=key[1], result=result).inc()

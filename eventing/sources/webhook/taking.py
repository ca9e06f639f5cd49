"""Takes requests of WebhookSources: checks one, sends its event once, and says what is answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from eventing.codec import CodecError, Event, decode_reply
from eventing.codec.http import value_of
from eventing.runtime.policy import is_retried
from eventing.sources.sender import ANSWER_BYTES, Sent
from eventing.sources.webhook.received import Received, Refusal
from eventing.sources.webhook.rules import Rules, event_of
from eventing.sources.webhook.seen import Seen, token_of
from eventing.sources.webhook.senders.seam import Answer
from eventing.sources.webhook.signatures import Moment
from hearth.kube.clock import Clock
from hearth.kube.meta import Key, key_text
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

RETRY_SECONDS = 30
"""After which a sender is asked to try again, where the sink does not say it."""
SENT, DUPLICATE, ANSWERED, FAILED = "sent", "duplicate", "answered", "failed"

Send = Callable[[Event], Awaitable[Sent]]
Outcome = tuple[str, Answer]
"""What it is counted as, and what the sender is told."""


@dataclass(slots=True)
class Served:
    """A WebhookSource that is served."""

    key: Key
    rules: Rules
    secrets: Callable[[], list[bytes]]
    """Those of now; none where none can be read."""
    seen: Seen
    send: Send
    under_way: dict[bytes, asyncio.Task[Outcome]] = field(default_factory=dict)
    unsaved: list[bytes] = field(default_factory=list)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


async def taken(served: Served, request: Received, clock: Clock) -> Outcome:
    """Take one request; raise Refusal where it is not taken."""
    sender = served.rules.sender
    if (at_once := sender.unchecked(request)) is not None:
        return ANSWERED, at_once
    secrets = served.secrets()
    if not secrets:
        raise unavailable("the secret cannot be read: see the conditions of the WebhookSource")
    sender.check(request, secrets, Moment(clock(), served.rules.tolerance))
    if (at_once := sender.asked(request)) is not None:
        return ANSWERED, at_once
    return await _once(served, event_of(served.rules, request), sender.proof(request), clock)


def unavailable(text: str, seconds: float = 0.0) -> Refusal:
    """Return what is said where a later attempt may be taken."""
    return TryAgain(503, text, retry_after=max(1, round(seconds or RETRY_SECONDS)))


class TryAgain(Refusal):
    """A request that may be taken later."""

    def __init__(self, status: int, text: str, *, retry_after: int) -> None:
        super().__init__(status, text)
        self.retry_after = retry_after


async def _once(served: Served, event: Event, proof: str, clock: Clock) -> Outcome:
    """Send an event that was not sent before; a second request waits for what the first is told."""
    told = token_of("id", str(event.attributes["source"]), str(event.attributes["id"]))
    proofs = [token_of("proof", proof)] if proof else []
    if told in served.seen:
        return DUPLICATE, Answer(served.rules.sender.accepted)
    if told not in served.under_way:
        if any(each in served.seen or each in served.under_way for each in proofs):
            raise Refusal(409, "the same signed request came before, under another id: a replay")
        sending = asyncio.create_task(_sent(served, event, [told, *proofs], clock))
        _track(served.under_way, [told, *proofs], sending)
        return await asyncio.shield(sending)
    _, answer = await asyncio.shield(served.under_way[told])
    return DUPLICATE, answer


def _track(
    under_way: dict[bytes, asyncio.Task[Outcome]],
    tokens: list[bytes],
    sending: asyncio.Task[Outcome],
) -> None:
    for each in tokens:
        under_way[each] = sending

    def done(task: asyncio.Task[Outcome]) -> None:
        for each in tokens:
            under_way.pop(each, None)
        if not task.cancelled():
            task.exception()  # who waits is told, and perhaps nobody does any more

    sending.add_done_callback(done)


async def _sent(served: Served, event: Event, tokens: list[bytes], clock: Clock) -> Outcome:
    rules, where = served.rules, key_text(served.key)
    try:
        async with time_limit(rules.timeout):
            sent = await served.send(event)
    except TimeoutError:
        log.warning("the sink did not answer in time", extra={"key": where})
        raise unavailable(f"the sink did not answer within {rules.timeout:g} s") from None
    if not sent.accepted:
        log.warning("event not delivered", extra={"key": where, "said": str(sent)})
        raise _not_taken(sent)
    await _keep(served, tokens, clock)
    return SENT, _answer(rules, sent)


async def _keep(served: Served, tokens: list[bytes], clock: Clock) -> None:
    """Return once it is on disk that a delivery was taken; those that wait are written together."""
    served.unsaved += tokens
    async with served.writing:
        batch, served.unsaved = served.unsaved, []
        try:
            if batch:
                await asyncio.to_thread(served.seen.add, batch, clock())
        except OSError as error:  # the event is with the sink: to ask for it again helps nobody
            facts = {"key": key_text(served.key), "error": str(error)}
            log.error("what was taken is not kept", extra=facts)


def _not_taken(sent: Sent) -> Refusal:
    if sent.status and not is_retried(sent.status):
        return Refusal(502, f"the sink refuses the event: {sent.status}")
    said = f"answers {sent.status}" if sent.status else "cannot be reached"
    return unavailable(f"the sink {said}", sent.retry_after)


def _answer(rules: Rules, sent: Sent) -> Answer:
    sender = rules.sender
    if not rules.replies:
        return Answer(sender.accepted)
    if len(sent.content) >= ANSWER_BYTES:
        return Answer(sender.accepted, b"the sink's answer is too large to hand on")
    try:
        reply = decode_reply(sent.fields, sent.content)
    except CodecError as error:
        log.warning("the sink's reply is no event", extra={"error": str(error)})
        return Answer(sender.accepted)
    if reply is not None:
        return sender.replied(reply.data or b"", reply.text("datacontenttype") or "")
    if not sent.content:
        return Answer(sender.accepted)
    kind = value_of(sent.fields, b"content-type").decode("latin-1")
    return sender.replied(sent.content, kind)

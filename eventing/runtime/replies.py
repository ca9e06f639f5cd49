"""Answers of subscribers: whether they carry events, and how a Broker takes them in again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from eventing.codec import CodecError, Event, decode_replies
from eventing.engines.event import RenderedEvent
from eventing.engines.seam import EventLog, Refused
from eventing.runtime.client import Answer
from eventing.runtime.places import Place
from hearth.kube.timers import Timer

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 1
"""Replies make room, so they do not wait as long as producers are asked to."""


def replies_of(answer: Answer) -> tuple[int, Sequence[Event]]:
    """Return the status that counts and the events of a successful answer.

    A body that is no event counts as 502, as in Knative. What an answer of 202 carries is not the
    event's outcome, and never a reply (data plane specification, "Derived events").
    """
    if answer.status == 202 or not answer.may_be_event:
        return answer.status, ()
    try:
        replies = decode_replies(answer.fields, answer.body)
    except CodecError:
        return 502, ()
    return (answer.status, replies) if replies is not None else (502, ())


FindLog = Callable[[Place], EventLog | None]
"""Returns the log of another place; None while it is not open."""


Check = Callable[[Sequence[RenderedEvent]], None]
"""Raises CodecError for events that are not taken."""


class LogReplies:
    """Appends replies to a log, again and again until they are durable."""

    def __init__(
        self, events: EventLog, find: FindLog | None = None, *, check: Check | None = None
    ) -> None:
        self._log = events
        self._find = find
        self._check = check
        self._timers: set[Timer] = set()
        self._closed = False

    def append(
        self,
        replies: Sequence[RenderedEvent],
        stored: Callable[[], None],
        *,
        to: Place | None = None,
    ) -> None:
        """Call ``stored`` once all of the replies are durable, here or in a log that is named."""

        def done(refusal: Refused | None) -> None:
            if refusal is None:
                stored()
            else:
                self._again(replies, stored, to, refusal)

        try:
            events = self._log if to is None else self._find(to) if self._find else None
            if events is None:
                raise Refused(f"{to} is not open")
            events.append(replies, done, own=True)
        except Refused as refusal:
            self._again(replies, stored, to, refusal)

    def check(self, replies: Sequence[RenderedEvent]) -> None:
        """Raise CodecError where a reply may not go into the log."""
        if self._check is not None:
            self._check(replies)

    def _again(
        self,
        replies: Sequence[RenderedEvent],
        stored: Callable[[], None],
        to: Place | None,
        refusal: Refused,
    ) -> None:
        if self._closed:
            return

        def retry() -> None:
            self._timers.discard(timer)
            self.append(replies, stored, to=to)

        timer = Timer(min(refusal.retry_after, _AGAIN_SECONDS), retry)
        self._timers.add(timer)

    def close(self) -> None:
        """Try no further; the events answered were not settled, and will be delivered again."""
        self._closed = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

"""Deliveries to one web hook that is asked for permission first; see ``permission``."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic

from activator.http.events import ResponseHead
from activator.http.fields import field_lines
from eventing.runtime.aftermath import retry_after_of
from eventing.runtime.client import Answer, Answered, DeliveryClient
from eventing.runtime.permission import Ask, Handshake, Permission, Refuse, Send, State, Wait
from eventing.runtime.request import with_line
from eventing.runtime.target import Target
from hearth.kube.clock import Clock
from hearth.kube.timers import Timer

log = logging.getLogger(__name__)

ASK_SECONDS = 30.0


class WebhookSender:
    """Sends as ``DeliveryClient.send`` does, when it is allowed to and as fast as that."""

    def __init__(
        self, client: DeliveryClient, handshake: Handshake, *, name: str, clock: Clock
    ) -> None:
        self._client = client
        self._handshake = handshake
        self._permission = Permission(handshake)
        self._origin = b"webhook-request-origin: %b\r\n" % handshake.origin.encode()
        self._name = name
        self._clock = clock
        self._waiting: deque[Callable[[], None]] = deque()
        self._timers: set[Timer] = set()
        self._closed = False

    def send(
        self,
        target: Target,
        request: bytes,
        answered: Answered,
        *,
        timeout_seconds: float,
    ) -> None:
        """Send one request; ``answered`` is called once, later, unless this is closed before."""
        again = partial(self.send, target, request, answered, timeout_seconds=timeout_seconds)
        match self._permission.decide(monotonic()):
            case Refuse(status=status, reason=reason):
                answer = Answer(ResponseHead.of(status), reason.encode(), error=reason)
                asyncio.get_running_loop().call_soon(answered, answer)
            case Wait():
                self._waiting.append(partial(self._after_asking, again, answered))
            case Ask():
                self._waiting.append(partial(self._after_asking, again, answered))
                self._ask(target)
            case Send(at=at, tells_origin=tells_origin):
                if tells_origin:
                    request = with_line(request, self._origin)
                deliver = partial(
                    self._client.send,
                    target,
                    request,
                    partial(self._delivered, answered),
                    timeout_seconds=timeout_seconds,
                )
                self._at(at, deliver)

    def _ask(self, target: Target) -> None:
        opening = b"OPTIONS" + target.opening.removeprefix(b"POST")
        request = b"".join((opening, field_lines(self._handshake.fields()), b"\r\n"))
        self._client.send(target, request, self._asked, timeout_seconds=ASK_SECONDS)

    def _asked(self, answer: Answer) -> None:
        if self._closed:
            return
        permission = self._permission
        permission.answered(answer.status, answer.fields, monotonic())
        facts = {"subscription": self._name, "status": answer.status, "error": answer.error}
        if permission.state is State.GRANTED:
            log.info("the target permits deliveries", extra=facts)
        else:
            log.warning("the target gives no permission for deliveries", extra=facts)
        waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            each()

    def _after_asking(self, again: Callable[[], None], answered: Answered) -> None:
        if self._permission.state is State.UNKNOWN:
            # Asking has failed: that is an attempt, which is retried as any other.
            answered(Answer(None, error="the target does not answer when asked for permission"))
        else:
            again()

    def _delivered(self, answered: Answered, answer: Answer) -> None:
        wait = retry_after_of(answer, self._clock())
        self._permission.delivered(answer.status, wait, monotonic())
        answered(answer)

    def _at(self, moment: float, call: Callable[[], None]) -> None:
        pause = moment - monotonic()
        if pause <= 0:
            call()
            return

        def due() -> None:
            self._timers.discard(timer)
            call()

        timer = Timer(pause, due)
        self._timers.add(timer)

    def close(self) -> None:
        """Send nothing more; who waits is not answered."""
        self._closed = True
        self._waiting.clear()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

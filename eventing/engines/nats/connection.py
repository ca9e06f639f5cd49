"""The one connection of a process to NATS: questions with answers, and messages without.

What waits for an answer is told at once when the connection is lost or the server refuses; nobody
waits longer than ``answer_seconds``. What asks for none, as acknowledgements do, is kept while the
connection is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, NamedTuple

import orjson

from eventing.engines.nats.config import NatsLimits, NatsServer
from eventing.engines.nats.faults import NOBODY, NatsError, result_of
from eventing.engines.nats.session import Session, Source
from eventing.engines.nats.wire import Message, command

_API = "$JS.API."
_AGAIN_SECONDS = 0.25
_BESIDE_BYTES = 4096
"""Headers of ours in a message, and more than what the server adds to them."""

Answered = Callable[[Message | NatsError], bool]
"""Called with each answer; returns whether it was the last."""


class _Waiting(NamedTuple):
    subject: str
    answered: Answered
    until: float


class Connection(Session):
    """Use on one event loop. ``connect`` before all else."""

    def __init__(self, server: NatsServer | Source, limits: NatsLimits) -> None:
        super().__init__(server, limits)
        self._inbox = ""
        self._numbers = itertools.count()
        self._waiting: dict[str, _Waiting] = {}
        self._outgoing: deque[tuple[bytes, bool]] = deque()
        """Commands, and whether they are sent later where the connection is away."""
        self._is_sending = False
        self.on_return(self._wake)

    @property
    def max_event_bytes(self) -> int:
        """The largest event: a message of the server's, without what else is in it.

        That of a server as it comes, before we are connected.
        """
        return self._client.max_payload - _BESIDE_BYTES

    async def _connected(self) -> None:
        self._inbox = self._client.new_inbox()
        await self._client.hear(f"{self._inbox}.*", self._answer)
        if not self._tasks:
            self._spawn(self._sweep(), "nats-answers")

    @property
    def nowhere(self) -> str:
        """Where answers go that nobody looks at."""
        return f"{self._inbox}.nowhere"

    # -- sending -----------------------------------------------------------------------------

    def tell(self, subject: str, payload: bytes) -> None:
        """Send a message that nobody answers; kept while the connection is away."""
        self._outgoing.append((command(subject, payload), True))
        self._wake()

    def pull(self, subject: str, payload: bytes, inbox: str) -> None:
        """Send a question whose answers come to a subject that is subscribed to."""
        if self.is_connected:
            self._outgoing.append((command(subject, payload, inbox), False))
            self._wake()

    def ask(self, subject: str, payload: bytes, answered: Answered, *, block: bytes = b"") -> None:
        """Send a question; ``answered`` is called later, never from here."""
        if not self.is_connected:
            gone = NatsError("there is no connection to NATS")
            asyncio.get_running_loop().call_soon(answered, gone)
            return
        token = str(next(self._numbers))
        until = monotonic() + self._limits.answer_seconds
        self._waiting[token] = _Waiting(subject, answered, until)
        self._outgoing.append((command(subject, payload, f"{self._inbox}.{token}", block), False))
        self._wake()

    def publish(self, subject: str, payload: bytes, block: bytes) -> None:
        """Send a message of several whose last one is asked about; ``ask`` that."""
        self._outgoing.append((command(subject, payload, block=block), False))

    def _wake(self) -> None:
        """What one turn of the loop says leaves together at its end."""
        if not self._is_sending and not self._closed:
            self._is_sending = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._is_sending = False
        if not self._outgoing or not self._client.is_connected:
            return
        commands = [each for each, _ in self._outgoing]
        self._outgoing.clear()
        if not self._client.write(commands):
            self._is_sending = True
            self._spawn(self._drain(), "nats-sending")

    async def _drain(self) -> None:
        with contextlib.suppress(OSError):  # that is told elsewhere
            await self._client.drained()
        self._is_sending = False
        if self._outgoing:
            self._wake()

    async def flush(self) -> None:
        """Wait until the server has what was sent; not while it is away."""
        while self._outgoing and self.is_connected:  # noqa: ASYNC110 (the next turn is enough)
            await asyncio.sleep(0)
        if self.is_connected:
            with contextlib.suppress(Exception):
                await self._client.flush(self._limits.answer_seconds)  # type: ignore[arg-type]

    # -- answers -----------------------------------------------------------------------------

    def _answer(self, message: Message) -> None:
        token = message.subject.rpartition(".")[2]
        waiting = self._waiting.get(token)
        if waiting is None:
            return
        found: Message | NatsError = message
        if message.block and message.status[0] == str(NOBODY):
            found = NatsError(f"nobody listens to {waiting.subject} at NATS", NOBODY)
        if waiting.answered(found):
            self._waiting.pop(token, None)

    def _interrupted(self, why: str) -> None:
        self._give_up(why, lambda _: True)

    def _refused(self, problem: str) -> None:
        said = problem.lower()
        self._give_up(problem, lambda waiting: waiting.subject.lower() in said)

    def _give_up(self, why: str, about: Callable[[_Waiting], bool]) -> None:
        for token, waiting in list(self._waiting.items()):
            if about(waiting) and self._waiting.pop(token, None) is not None:
                waiting.answered(NatsError(why))
        if not self.is_connected:
            kept = [each for each in self._outgoing if each[1]]
            self._outgoing.clear()
            self._outgoing.extend(kept)

    async def _sweep(self) -> None:
        """End the wait for answers that do not come."""
        while True:
            await asyncio.sleep(_AGAIN_SECONDS)
            now = monotonic()
            for token, waiting in list(itertools.islice(self._waiting.items(), 1000)):
                if waiting.until > now:
                    break
                del self._waiting[token]
                why = self._problem or "NATS does not answer"
                waiting.answered(NatsError(f"{why} ({waiting.subject})"))

    async def call(self, verb: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask JetStream's API; raise NatsError where it refuses or is not there."""
        [message] = await self.asked(_API + verb, orjson.dumps(body) if body else b"")
        return result_of(message.data)

    async def direct(self, stream: str, body: Mapping[str, Any]) -> list[Message]:
        """Read messages of a stream as its API of direct reads is asked; none where none are."""
        subject = f"{_API}DIRECT.GET.{stream}"
        found = await self.asked(subject, orjson.dumps(body), several="batch" in body)
        return [each for each in found if not each.status[0]]

    async def asked(
        self, subject: str, payload: bytes, *, block: bytes = b"", several: bool = False
    ) -> list[Message]:
        """Ask, and wait for the answer; for ``several`` up to the one that is a status."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        found: list[Message] = []

        def answered(answer: Message | NatsError) -> bool:
            if future.done():
                return True
            if isinstance(answer, NatsError):
                future.set_exception(answer)
                return True
            found.append(answer)
            if several and not answer.status[0]:
                return False
            future.set_result(None)
            return True

        self.ask(subject, payload, answered, block=block)
        await future
        return found

    # -- the end -----------------------------------------------------------------------------

    def abort(self) -> None:
        """End as a process does that is killed: nothing more is sent. ``close`` tidies up."""
        self._outgoing.clear()
        super().abort()

    async def close(self) -> None:
        """Send what is to be sent, then end."""
        if not self._closed:
            await self.flush()
        await super().close()

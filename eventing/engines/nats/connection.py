"""The one connection of a process to NATS: questions with answers, messages without, subscriptions.

What waits for an answer is told at once when the connection is lost or the server refuses; nobody
waits longer than ``answer_seconds``. What asks for none, as acknowledgements do, is kept while the
connection is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from tempfile import NamedTemporaryFile
from time import monotonic
from typing import Any, NamedTuple

import orjson
from nats.aio.client import RawCredentials
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from eventing.engines.nats.config import NatsLimits, NatsServer
from eventing.engines.nats.wire import WireClient, command, status_of
from eventing.engines.seam import Unavailable
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

_API = "$JS.API."
_OLDEST = (2, 12)
"""Versions of the server: it appends several messages all or none from this one on (ADR-50)."""
_NOBODY = "503"
NOBODY = 503
"""The code where nobody listens: there is no such stream, or it has no leader now."""
_AGAIN_SECONDS = 0.25
_UNLIMITED = 0


class NatsError(Unavailable):
    """The server refused, or did not answer. ``code`` is JetStream's own number, or 0."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


Answered = Callable[[Msg | NatsError], bool]
"""Called with each answer; returns whether it was the last."""
Heard = Callable[[Msg], None]
Source = Callable[[], Awaitable[NatsServer]]
"""Returns where the server is; asked each time a connection begins."""


_MOST_AT_ONCE = 256
_BESIDE_BYTES = 4096
"""Headers of ours in a message, and more than what the server adds to them."""


class _Outgoing(NamedTuple):
    command: bytes
    is_kept: bool
    """Whether it is sent later where the connection is away."""


class _Waiting(NamedTuple):
    subject: str
    answered: Answered
    until: float


class Connection:
    """Use on one event loop. ``connect`` before all else."""

    def __init__(self, server: NatsServer | Source, limits: NatsLimits) -> None:
        self._source = None if isinstance(server, NatsServer) else server
        self.server = server if isinstance(server, NatsServer) else NatsServer()
        """Where the server is; what is true once ``connect`` was called."""
        self._limits = limits
        self._client = WireClient()
        self._inbox = ""
        self._numbers = itertools.count()
        self._waiting: dict[str, _Waiting] = {}
        self._outgoing: deque[_Outgoing] = deque()
        self._heard: dict[str, tuple[Heard, Subscription | None]] = {}
        self._returned: list[Callable[[], None]] = []
        self._connecting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_sending = self._closed = False
        self._problem = ""

    # -- connecting --------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Whether the server is there."""
        return self._client.is_connected

    @property
    def max_event_bytes(self) -> int:
        """The largest event: a message of the server's, without what else is in it.

        That of a server as it comes, before we are connected.
        """
        return self._client.max_payload - _BESIDE_BYTES

    async def connect(self) -> None:
        """Connect, if that was not done yet; raise NatsError where it cannot be."""
        async with self._connecting:
            if self._closed:
                raise NatsError("the connection is closed")
            if not (self._client.is_connected or self._client.is_reconnecting):
                await self._connect()

    async def _connect(self) -> None:
        self._client, self._problem = WireClient(), ""
        if self._source is not None:
            self.server = await self._source()
        try:
            async with time_limit(self._limits.answer_seconds):
                await self._client.connect(**self._options())
        except Exception as error:
            await self._client.end()
            why = self._problem or str(error) or "it does not answer"
            places = ", ".join(each.rpartition("@")[2] for each in self.server.urls)
            raise NatsError(f"NATS at {places}: {why}") from error
        version = self._client.connected_server_version
        if (version.major, version.minor) < _OLDEST:
            await self._client.end()
            raise NatsError(f"NATS is {version}, 2.12 or later is needed")
        self._inbox = self._client.new_inbox()
        await self._subscribe(f"{self._inbox}.*", self._answer)
        for subject, (heard, _) in list(self._heard.items()):
            self._heard[subject] = heard, await self._subscribe(subject, heard)
        if not self._tasks:
            self._spawn(self._sweep(), "nats-answers")
        self._back()

    def _options(self) -> dict[str, Any]:
        server = self.server
        options: dict[str, Any] = {
            "servers": list(server.urls),
            "name": "hearth",
            "no_echo": True,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": _AGAIN_SECONDS,
            "connect_timeout": 2,
            "ping_interval": 10,
            "error_cb": self._complained,
            "disconnected_cb": self._lost,
            "reconnected_cb": self._reconnected,
            "closed_cb": self._ended,
            "skip_subject_validation": True,  # ours are made by ``names``
        }
        if server.token:
            options["token"] = server.token
        if server.credentials:
            options["user_credentials"] = RawCredentials(server.credentials)
        if server.ca or server.certificate or any(url.startswith("tls") for url in server.urls):
            options["tls"] = _tls(server)
        return options

    async def _complained(self, error: Exception) -> None:
        self._problem = str(error) or type(error).__name__
        if "permissions violation" in self._problem.lower():
            log.error("NATS refuses", extra={"error": self._problem})
            refused = self._problem.lower()
            self._give_up(self._problem, lambda waiting: waiting.subject.lower() in refused)

    async def _lost(self) -> None:
        if not self._closed:
            log.warning("the connection to NATS is lost", extra={"error": self._problem})
        self._give_up("the connection to NATS is lost")

    async def _reconnected(self) -> None:
        log.info("connected to NATS again")
        self._back()

    async def _ended(self) -> None:
        """The client gave up, as it does when it may not log in any more: begin anew."""
        if not self._closed:
            self._spawn(self._begin_anew(), "nats-connection")

    async def _begin_anew(self) -> None:
        while not self._closed:
            await asyncio.sleep(_AGAIN_SECONDS)
            try:
                await self.connect()
                return
            except NatsError as error:
                log.warning("no connection to NATS", extra={"error": str(error)})

    def _back(self) -> None:
        self._problem = ""
        self._wake()
        for returned in self._returned:
            returned()

    def on_return(self, returned: Callable[[], None]) -> None:
        """Call this whenever the connection is there again."""
        self._returned.append(returned)

    def off_return(self, returned: Callable[[], None]) -> None:
        """Call this no more."""
        self._returned.remove(returned)

    # -- sending -----------------------------------------------------------------------------

    def tell(self, subject: str, payload: bytes) -> None:
        """Send a message that nobody answers; kept while the connection is away."""
        self._outgoing.append(_Outgoing(command(subject, payload), True))
        self._wake()

    def pull(self, subject: str, payload: bytes, inbox: str) -> None:
        """Send a question whose answers come to a subject that is subscribed to."""
        if self.is_connected:
            self._outgoing.append(_Outgoing(command(subject, payload, inbox), False))
            self._wake()

    def ask(
        self,
        subject: str,
        payload: bytes,
        answered: Answered,
        *,
        block: bytes = b"",
    ) -> None:
        """Send a question; ``answered`` is called later, never from here."""
        if not self.is_connected:
            gone = NatsError("there is no connection to NATS")
            asyncio.get_running_loop().call_soon(answered, gone)
            return
        token = str(next(self._numbers))
        until = monotonic() + self._limits.answer_seconds
        self._waiting[token] = _Waiting(subject, answered, until)
        asked = command(subject, payload, f"{self._inbox}.{token}", block)
        self._outgoing.append(_Outgoing(asked, False))
        self._wake()

    def publish(self, subject: str, payload: bytes, block: bytes) -> None:
        """Send a message of several whose last one is asked about; ``ask`` that."""
        self._outgoing.append(_Outgoing(command(subject, payload, block=block), False))

    def _wake(self) -> None:
        if not self._is_sending and not self._closed:
            self._is_sending = True
            self._spawn(self._send(), "nats-sending")

    async def _send(self) -> None:
        outgoing = self._outgoing
        try:
            while outgoing and self._client.is_connected:
                count = min(len(outgoing), _MOST_AT_ONCE)
                await self._client.send([outgoing.popleft().command for _ in range(count)])
                await asyncio.sleep(0)
        except Exception as error:
            self._problem = str(error)
            log.warning("a message cannot be sent to NATS", extra={"error": self._problem})
        finally:
            self._is_sending = False
        if outgoing and self._client.is_connected:
            self._wake()

    async def flush(self) -> None:
        """Wait until the server has what was sent; not while it is away."""
        while self._outgoing and self.is_connected:  # noqa: ASYNC110 (the next turn is enough)
            await asyncio.sleep(0)
        if self.is_connected:
            with contextlib.suppress(Exception):
                await self._client.flush(self._limits.answer_seconds)  # type: ignore[arg-type]

    # -- answers -----------------------------------------------------------------------------

    def _answer(self, message: Msg) -> None:
        token = message.subject.rpartition(".")[2]
        waiting = self._waiting.get(token)
        if waiting is None:
            return
        status, _ = status_of(message)
        nobody = NatsError(f"nobody listens to {waiting.subject} at NATS", NOBODY)
        found: Msg | NatsError = nobody if status == _NOBODY else message
        if waiting.answered(found):
            self._waiting.pop(token, None)

    def _give_up(self, why: str, about: Callable[[_Waiting], bool] = lambda _: True) -> None:
        for token, waiting in list(self._waiting.items()):
            if about(waiting) and self._waiting.pop(token, None) is not None:
                waiting.answered(NatsError(why))
        if not self.is_connected:
            kept = [each for each in self._outgoing if each.is_kept]
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
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Msg] = loop.create_future()

        def answered(found: Msg | NatsError) -> bool:
            if not future.done():
                if isinstance(found, NatsError):
                    future.set_exception(found)
                else:
                    future.set_result(found)
            return True

        self.ask(_API + verb, orjson.dumps(body) if body else b"", answered)
        return result_of(await future)

    async def direct(self, stream: str, body: Mapping[str, Any]) -> list[Msg]:
        """Read messages of a stream as its API of direct reads is asked; none where none are."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Msg]] = loop.create_future()
        found: list[Msg] = []

        def answered(message: Msg | NatsError) -> bool:
            if future.done():
                return True
            if isinstance(message, NatsError):
                future.set_exception(message)
                return True
            status, _ = status_of(message)
            if not status:
                found.append(message)
                if "batch" in body:
                    return False
            future.set_result(found)
            return True

        self.ask(f"{_API}DIRECT.GET.{stream}", orjson.dumps(body), answered)
        return await future

    # -- subscriptions -----------------------------------------------------------------------

    def inbox(self) -> str:
        """Return a subject of our own, to subscribe to."""
        return self._client.new_inbox()

    async def subscribe(self, subject: str, heard: Heard) -> None:
        """Be told of the messages of a subject, over reconnections, till ``unsubscribe``."""
        self._heard[subject] = heard, None
        self._heard[subject] = heard, await self._subscribe(subject, heard)

    async def _subscribe(self, subject: str, heard: Heard) -> Subscription:
        async def told(message: Msg) -> None:
            heard(message)

        return await self._client.subscribe(
            subject, cb=told, pending_msgs_limit=_UNLIMITED, pending_bytes_limit=_UNLIMITED
        )

    async def unsubscribe(self, subject: str) -> None:
        """Be told no more, once what is on its way was heard."""
        _, subscription = self._heard.pop(subject, (None, None))
        if subscription is not None:
            with contextlib.suppress(Exception):
                await subscription.drain()  # type: ignore[no-untyped-call]

    # -- the end -----------------------------------------------------------------------------

    def _spawn(self, work: Any, name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def abort(self) -> None:
        """End as a process does that is killed: nothing more is sent. ``close`` tidies up."""
        self._closed = True
        self._outgoing.clear()
        self._client.abort()

    async def close(self) -> None:
        """Send what is to be sent, then end."""
        if not self._closed:
            await self.flush()
        await self._end()

    async def _end(self) -> None:
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.end()
        self._give_up("the connection to NATS is closed")


def result_of(message: Msg) -> dict[str, Any]:
    """Return the JSON of an answer; raise NatsError where it says that something failed."""
    found: dict[str, Any] = orjson.loads(message.data)
    error = found.get("error")
    if error:
        raise NatsError(str(error.get("description", "")), int(error.get("err_code", 0)))
    return found


def _tls(server: NatsServer) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=server.ca or None)
    if server.certificate:
        with NamedTemporaryFile("w", suffix=".pem") as file:  # the module takes files alone
            file.write(f"{server.certificate}\n{server.key}\n")
            file.flush()
            context.load_cert_chain(file.name)
    return context

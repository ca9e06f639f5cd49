"""The client's session with the server: it comes back whenever it was lost, with all it hears."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from nats.aio.subscription import Subscription

from eventing.engines.nats.config import NatsLimits, NatsServer
from eventing.engines.nats.faults import NatsError
from eventing.engines.nats.login import options_of, user_of
from eventing.engines.nats.wire import Heard, WireClient
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

_OLDEST = (2, 12)
"""Versions of the server: it appends several messages all or none from this one on (ADR-50)."""

Source = Callable[[], Awaitable[NatsServer]]
"""Returns where the server is; asked each time a connection begins."""


class Session:
    """Use on one event loop. ``connect`` before all else."""

    def __init__(self, server: NatsServer | Source, limits: NatsLimits) -> None:
        self._source = None if isinstance(server, NatsServer) else server
        self.server = server if isinstance(server, NatsServer) else NatsServer()
        """Where the server is; what is true once ``connect`` was called."""
        self._limits = limits
        self._client = WireClient()
        self._heard: dict[str, tuple[Heard, Subscription | None]] = {}
        self._returned: list[Callable[[], None]] = []
        self.told: list[Callable[[str], None]] = []
        """Called when the server says that we have no right to something."""
        self._connecting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._problem = ""

    @property
    def is_connected(self) -> bool:
        """Whether the server is there."""
        return self._client.is_connected

    async def connect(self) -> None:
        """Connect, if that was not done yet; raise NatsError where it cannot be."""
        async with self._connecting:
            if self._closed:
                raise NatsError("the connection is closed")
            if not (self._client.is_connected or self._client.is_reconnecting):
                await self._connect()

    async def _connect(self) -> None:
        self._problem = ""
        if self._source is not None:
            self.server = await self._source()
        try:
            self._client = WireClient(user_of(self.server))
            async with time_limit(self._limits.answer_seconds):
                await self._client.connect(
                    **options_of(self.server),
                    ping_interval=self._limits.answer_seconds,  # type: ignore[arg-type]
                    max_outstanding_pings=1,
                    error_cb=self._complained,
                    disconnected_cb=self._lost,
                    reconnected_cb=self._reconnected,
                    closed_cb=self._ended,
                )
        except Exception as error:
            await self._client.end()
            why = self._problem or str(error) or "it does not answer"
            places = ", ".join(each.rpartition("@")[2] for each in self.server.urls)
            raise NatsError(f"NATS at {places}: {why}") from error
        version = self._client.connected_server_version
        if (version.major, version.minor) < _OLDEST:
            await self._client.end()
            raise NatsError(f"NATS is {version}, 2.12 or later is needed")
        await self._connected()
        for subject, (heard, _) in list(self._heard.items()):
            self._heard[subject] = heard, await self._client.hear(subject, heard)
        self._back()

    async def _connected(self) -> None:
        """Do what each new client needs."""

    def _interrupted(self, why: str) -> None:
        """Answers that are waited for do not come any more."""

    def _refused(self, problem: str) -> None:
        """The server says that something may not be done."""

    async def _complained(self, error: Exception) -> None:
        self._problem = str(error) or type(error).__name__
        if "permissions violation" in self._problem.lower():
            log.error("NATS refuses", extra={"error": self._problem})
            self._refused(self._problem)
            for told in list(self.told):
                told(self._problem)

    async def _lost(self) -> None:
        if not self._closed:
            log.warning("the connection to NATS is lost", extra={"error": self._problem})
        self._interrupted("the connection to NATS is lost")

    async def _reconnected(self) -> None:
        log.info("connected to NATS again")
        self._back()

    async def _ended(self) -> None:
        """The client gave up, as it does when it may not log in any more: begin anew."""
        if not self._closed:
            self._spawn(self._begin_anew(), "nats-connection")

    async def _begin_anew(self) -> None:
        while not self._closed:
            await asyncio.sleep(self.server.reconnect_seconds)
            try:
                await self.connect()
                return
            except NatsError as error:
                log.warning("no connection to NATS", extra={"error": str(error)})

    def _back(self) -> None:
        self._problem = ""
        for returned in list(self._returned):
            returned()

    def on_return(self, returned: Callable[[], None]) -> None:
        """Call this whenever the connection is there again."""
        self._returned.append(returned)

    def off_return(self, returned: Callable[[], None]) -> None:
        """Call this no more."""
        self._returned.remove(returned)

    # -- subscriptions -----------------------------------------------------------------------

    def inbox(self) -> str:
        """Return a subject of our own, to subscribe to."""
        return self._client.new_inbox()

    async def subscribe(self, subject: str, heard: Heard) -> None:
        """Be told of the messages of a subject, over reconnections, till ``unsubscribe``."""
        self._heard[subject] = heard, None
        self._heard[subject] = heard, await self._client.hear(subject, heard)

    async def unsubscribe(self, subject: str) -> None:
        """Be told no more, once what is on its way was heard."""
        _, subscription = self._heard.pop(subject, (None, None))
        if subscription is not None:
            await self._client.unhear(subscription)

    # -- the end -----------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def abort(self) -> None:
        """End as a process does that is killed: nothing more is sent. ``close`` tidies up."""
        self._closed = True
        self._client.abort()

    async def close(self) -> None:
        """End."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.end()
        self._interrupted("the connection to NATS is closed")

"""The other activators: who they are, and what is said between them. Thin: ``sharing`` decides.

Every activator speaks to every other over a connection of its own, and listens on those of the
others, so what one says to another stays in order. A line is a JSON list; the first one is a
hello. When either direction is lost both are given up, and what of the last link is still to be
read is not: the other may have started anew, and says what is so when it is there again.

Who there is comes from the EndpointSlices of the activators' own Service: kept by the cluster
without a write of ours, they list a pod as soon as it has an address and forget it when its node
is gone, and they are what load balancers go by. A connection tells sooner that one is gone.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from activator.backends import Backend
from activator.members import HAUNTED_SECONDS
from activator.sharing import Message, Sharing
from activator.tasks import TaskSet
from hearth.kube.timers import Timer, pause
from hearth.kube.tokens import Tokens
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

PING_SECONDS = 1.0
SILENCE_SECONDS = 5.0
"""One that says nothing for so long is held to be lost, though its connection may look open."""
_CONNECT_SECONDS = 2.0
_PAUSE_SECONDS = 0.1
_LONGEST_LINE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PeersConfig:
    """Where this activator listens for others, and how they find it."""

    host: str
    """This pod's own address, as the others see it."""
    port: int
    service: str = "hearth-activator-peers"
    """The Service, in the system namespace, whose endpoints are the activators."""


class _Link:
    """What there is between this activator and another."""

    def __init__(self) -> None:
        self.outgoing: asyncio.StreamWriter | None = None
        self.incoming: asyncio.StreamWriter | None = None
        self.waiting: list[Message] = []
        """Said while there is no connection to say it on."""

    def close(self) -> None:
        for writer in (self.outgoing, self.incoming):
            if writer is not None:
                writer.transport.abort()
        self.outgoing = self.incoming = None
        self.waiting.clear()


class Peers:
    """All connections with other activators; also hears of waiting requests and changed pods."""

    def __init__(self, config: PeersConfig, tokens: Tokens, clock: Callable[[], float]) -> None:
        """``tokens`` are what activators know each other by."""
        self._config = config
        self._tokens = tokens
        self._clock = clock
        self._tasks = TaskSet()
        self._links: dict[str, _Link] = {}
        self._dialing: set[str] = set()
        """Whom a task tries to reach."""
        self._incarnation = secrets.token_hex(8)
        self._incarnations: dict[str, str] = {}
        """Which process was there last under each name."""
        self._listed: frozenset[str] = frozenset()
        self._settled = asyncio.Event()
        self._started_at = 0.0
        self._asking: dict[Backend, None] = {}
        self._is_turn_planned = False
        self._timer: Timer | None = None
        self._server: asyncio.Server | None = None
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.me = f"{config.host}:{config.port}"
        self.sharing = Sharing(self.me, self._send, self._plan_turn)

    @property
    def count(self) -> int:
        """How many other activators there are."""
        return len(self.sharing.members.there)

    # -- what the data plane tells -------------------------------------------------------------

    def changed(self, backend: Backend) -> None:
        """Divide the pods of a backend anew, if it has a limit."""
        if backend.throttler.container_concurrency:
            self.sharing.look(_target(backend), backend, self._clock())
        else:
            self.sharing.unshare(_target(backend), self._clock())
        self._wind()

    def forgotten(self, backend: Backend) -> None:
        """A backend is no more."""
        self.sharing.forget(_target(backend))

    def wake(self, backend: Backend) -> None:
        """Requests wait: those who own its pods are asked at the end of the loop's turn."""
        if backend.throttler.container_concurrency:
            self._asking[backend] = None
            self._plan_turn()

    def _plan_turn(self) -> None:
        if not self._is_turn_planned:
            self._is_turn_planned = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        asking, self._asking = self._asking, {}
        for backend in asking:
            self.sharing.ask(_target(backend))
        self._is_turn_planned = False
        self.sharing.flush()

    # -- life ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen for the others."""
        self._started_at = self._clock()
        self._server = await asyncio.start_server(
            self._serve, self._config.host, self._config.port, limit=_LONGEST_LINE
        )
        self._tasks.spawn(self._keep_time(), name="peers-time")

    def listed(self, addresses: frozenset[str]) -> None:
        """Take over whom the cluster lists, ready or not."""
        before, self._listed = self._listed, addresses - {self.me}
        for peer in self._listed - before:
            self.sharing.members.suspect(peer, self._clock())
        for peer in before - self._listed - self._links.keys():
            self._absolve(peer)
        self._dial_missing()

    async def settled(self) -> None:
        """Wait until everybody listed has been reached, or is known not to be there.

        And until what an earlier process of this name has left in pods is over, of which nobody
        may be able to tell.
        """
        while self.sharing.members.unknown:
            self._settled.clear()
            await self._settled.wait()
        await pause(self._started_at + HAUNTED_SECONDS - self._clock())

    def leave(self) -> None:
        """Own no pods any more: this activator is about to end."""
        self.sharing.leave(self._clock())

    async def close(self) -> None:
        """Say nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._server is not None:
            self._server.close()
        self._listed = frozenset()
        links, self._links = self._links, {}
        for link in links.values():
            link.close()
        for writer in self._serving.values():
            writer.transport.abort()
        await asyncio.gather(*self._serving)
        await self._tasks.close()

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            for peer in self._links:
                self._send(peer, ["ping"])
            self.sharing.remind()
            self._give_up_unreachable()
            self._dial_missing()

    def _give_up_unreachable(self) -> None:
        for peer in self.sharing.members.unreachable(self._clock()):
            log.warning("activator cannot be reached", extra={"peer": peer})
            self._absolve(peer)

    def _wind(self) -> None:
        """Wake up when requests of one that is gone are over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.sharing.next_at()
        if due is not None:
            self._timer = Timer(due - self._clock(), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.sharing.tick(self._clock())
        self._wind()

    # -- speaking ------------------------------------------------------------------------------

    def _send(self, peer: str, message: Message) -> None:
        link = self._links.get(peer)
        if link is None:
            return
        if link.outgoing is None:
            link.waiting.append(message)
        else:
            link.outgoing.write(orjson.dumps(message) + b"\n")

    def _dial_missing(self) -> None:
        for peer in self._listed.union(self.sharing.members.unknown, self._links):
            if peer not in self._dialing and self._is_missed(peer):
                self._dialing.add(peer)
                self._tasks.spawn(self._dial(peer), name=f"peer-{peer}")

    def _is_missed(self, peer: str) -> bool:
        link = self._links.get(peer)
        if link is None:
            return peer in self._listed or peer in self.sharing.members.unknown
        return link.outgoing is None

    async def _dial(self, peer: str) -> None:
        """Reach another, again and again for as long as it is missed."""
        try:
            while self._is_missed(peer):
                await self._reach(peer)
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._dialing.discard(peer)

    async def _reach(self, peer: str) -> None:
        host, _, port = peer.rpartition(":")
        try:
            async with time_limit(_CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            # The machine is there, and nobody listens.
            self._lose(peer)
            self._absolve(peer)
            return
        except (OSError, TimeoutError):
            return
        link = self._links.setdefault(peer, _Link())
        link.outgoing = writer
        waiting, link.waiting = link.waiting, []
        greeting = self.sharing.members.greeting(self._clock())
        hello = ["hello", self._tokens.shown, self.me, self._incarnation, greeting]
        for message in (hello, *waiting):
            self._send(peer, message)
        self._tasks.spawn(self._watch(peer, link, reader), name=f"peer-end-{peer}")

    async def _watch(self, peer: str, link: _Link, reader: asyncio.StreamReader) -> None:
        """The other says nothing here; reading tells when it is gone."""
        try:
            while await reader.read(4096):
                pass
        except OSError:
            pass
        self._lose(peer, link)

    def _absolve(self, peer: str) -> None:
        self._incarnations.pop(peer, None)
        self.sharing.absolve(peer, self._clock())
        self._settled.set()
        self._wind()

    def _lose(self, peer: str, link: _Link | None = None) -> None:
        """A direction is lost: so is the other, and what the peer does from here on.

        With a link, that one: there may be a new one already. One that the cluster does not list
        any more will not come back.
        """
        known = self._links.get(peer)
        if known is None or (link is not None and known is not link):
            return
        del self._links[peer]
        known.close()
        self.sharing.lost(peer, self._clock())
        if peer not in self._listed:
            self._absolve(peer)
        self._dial_missing()
        self._wind()

    # -- listening -----------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = writer
        task.add_done_callback(self._serving.pop)
        peer, link = "", None
        try:
            async with time_limit(SILENCE_SECONDS):
                peer, incarnation, greeting = self._greeted(await reader.readline())
            link = self._welcome(peer, incarnation, writer)
            self.sharing.joined(peer, greeting, self._clock())
            self._settled.set()
            self._wind()
            await self._listen(peer, link, reader)
        except (OSError, TimeoutError, ValueError, TypeError) as error:
            log.warning("activator not heard", extra={"peer": peer, "error": str(error)})
        finally:
            writer.close()
            if link is not None:
                self._lose(peer, link)

    def _welcome(self, peer: str, incarnation: str, writer: asyncio.StreamWriter) -> _Link:
        known = self._links.get(peer)
        if known is not None and known.incoming is not None:
            self._lose(peer)  # The end of the last link is still to be noticed.
        if self._incarnations.get(peer, incarnation) != incarnation:
            self._absolve(peer)  # Another process, which knows nothing of what the last one did.
        self._incarnations[peer] = incarnation
        link = self._links.setdefault(peer, _Link())
        link.incoming = writer
        self._dial_missing()
        return link

    def _greeted(self, line: bytes) -> tuple[str, str, list[str]]:
        match orjson.loads(line):
            case ["hello", str(token), str(peer), str(incarnation), list(greeting)]:
                if self._tokens.accepts(token.encode()):
                    return peer, incarnation, greeting
        raise ValueError("no hello, or a wrong token")

    async def _listen(self, peer: str, link: _Link, reader: asyncio.StreamReader) -> None:
        while True:
            async with time_limit(SILENCE_SECONDS):
                line = await reader.readline()
            if not line or self._links.get(peer) is not link:
                return
            message = orjson.loads(line)
            if message != ["ping"]:
                self.sharing.receive(peer, message, self._clock())
                self._wind()


def _target(backend: Backend) -> str:
    ref = backend.ref
    return f"{ref.namespace}/{ref.service}/{ref.port}"

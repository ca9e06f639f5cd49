"""Answers questions about names by UDP and TCP: a shell around ``zone`` and ``wire``.

One bad question hurts itself only, and one container that asks too much itself: of each there are
so many questions at a time and no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import dns.asyncquery
import dns.exception
import dns.message

from hearth.cluster.node.names import wire
from hearth.cluster.node.names.wire import Question
from hearth.cluster.node.names.zone import Found
from hearth.kube.guards import caught
from hearth.timeouts import time_limit

MOST_QUESTIONS, MOST_OF_ONE, MOST_A_SECOND = 1024, 128, 1000
"""That are being answered, in all and of one container; and that one container may ask in a second,
besides those that were asked before. What comes beyond is dropped."""
MOST_CONNECTIONS, _CONNECTIONS_OF_ONE = 128, 16
_IDLE_SECONDS = 10.0
_ASK_SECONDS, _ROUNDS = 2.0, 2
_MOST_KNOWN = 4096

Look = Callable[[str], Awaitable[Found | None]]
"""What is under a name, once that can be reached; raises OSError or TimeoutError."""


class Resolver:
    """The answerer of one bridge; ``machine`` lists the servers that know all other names."""

    def __init__(self, look: Look, machine: Callable[[], Sequence[str]]) -> None:
        self._look = look
        self._machine = machine
        self._known: dict[bytes, bytes] = {}  # packets of questions and answers, without the id
        self._asking: Counter[str] = Counter()
        self._connected: Counter[str] = Counter()
        self._second, self._spent = 0, Counter[str]()
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None

    async def listen(self, by_udp: socket.socket, by_tcp: socket.socket) -> None:
        """Answers from now on."""
        loop = asyncio.get_running_loop()
        how = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=by_udp)
        self._transport = how[0]
        self._server = await asyncio.start_server(self._converse, sock=by_tcp)

    async def close(self) -> None:
        """Answers nobody any more."""
        if self._transport is not None:
            self._transport.close()
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget_answers(self) -> None:
        """What was told may not be so any more."""
        self._known.clear()

    # -- by UDP ----------------------------------------------------------------------------

    def received(self, packet: bytes, address: tuple[str, int]) -> None:
        """A datagram of a container."""
        known = self._known.get(packet[2:])
        if known is not None:
            self._send(packet[:2] + known, address)
        elif len(packet) <= wire.MOST_OCTETS and self._may_ask(address[0]):
            self._asking[address[0]] += 1
            task = asyncio.get_running_loop().create_task(
                self._answer_datagram(packet, address), name="names-question"
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _may_ask(self, client: str) -> bool:
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._spent = second, Counter()
        self._spent[client] += 1
        return (
            len(self._tasks) < MOST_QUESTIONS
            and self._asking[client] < MOST_OF_ONE
            and self._spent[client] <= MOST_A_SECOND
        )

    async def _answer_datagram(self, packet: bytes, address: tuple[str, int]) -> None:
        try:
            answer = await self._answer(packet, by_tcp=False)
            if answer is not None:
                self._send(answer, address)
        finally:
            _less(self._asking, address[0])

    def _send(self, packet: bytes, address: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(packet, address)

    # -- by TCP ----------------------------------------------------------------------------

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection (RFC 7766): question after question, each with its length before it."""
        client = str((writer.get_extra_info("peername") or ("",))[0])
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connected[client] += 1
        try:
            if (
                self._connected.total() <= MOST_CONNECTIONS
                and self._connected[client] <= _CONNECTIONS_OF_ONE
            ):
                with contextlib.suppress(OSError, EOFError, TimeoutError):
                    while await self._answer_one(reader, writer):
                        pass
        finally:
            _less(self._connected, client)
            self._tasks.discard(task)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        async with time_limit(_IDLE_SECONDS):
            length = int.from_bytes(await reader.readexactly(2), "big")
            if length > wire.MOST_OCTETS:
                return False
            packet = await reader.readexactly(length)
        answer = await self._answer(packet, by_tcp=True)
        if answer is None:
            return False
        writer.write(len(answer).to_bytes(2, "big") + answer)
        async with time_limit(_IDLE_SECONDS):
            await writer.drain()
        return True

    # -- answers ---------------------------------------------------------------------------

    async def _answer(self, packet: bytes, *, by_tcp: bool) -> bytes | None:
        question = wire.read_question(packet)
        if not isinstance(question, Question):
            return question
        try:
            reply, may_be_kept = await self._reply(question)
        except (OSError, TimeoutError, dns.exception.DNSException):
            reply, may_be_kept = wire.failure(question), False
        except Exception:
            caught("names", ("", question.name[:253]))
            reply, may_be_kept = wire.failure(question), False
        answer = wire.pack(reply, question, by_tcp=by_tcp)
        if may_be_kept and not by_tcp and len(self._known) < _MOST_KNOWN:
            self._known[packet[2:]] = answer[2:]
        return answer

    async def _reply(self, question: Question) -> tuple[dns.message.Message, bool]:
        """The answer, and whether it is the same until something changes in the cluster."""
        found = await self._look(question.name)
        if found is None or not found.outside:
            is_one = found is None or len(found.addresses) <= 1
            return wire.answer(question, found), is_one
        elsewhere = await self._ask_elsewhere(question.about(found.outside))
        return wire.answer(question, found, elsewhere=elsewhere), False

    async def _ask_elsewhere(self, query: dns.message.Message) -> dns.message.Message:
        """What the machine's own servers say; raises TimeoutError when none does."""
        for server in [*self._machine()] * _ROUNDS:
            # What is no address at all is passed over, like a server that does not answer.
            with contextlib.suppress(OSError, ValueError, dns.exception.DNSException):
                reply, _ = await dns.asyncquery.udp_with_fallback(
                    query, server, timeout=_ASK_SECONDS
                )
                return reply
        raise TimeoutError


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._resolver.received(data, addr)


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]

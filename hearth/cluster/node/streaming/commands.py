"""Runs the commands and attachments of clients."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping

from hearth.cluster.node.runtime.api import STDERR, STDOUT, Instance, Size, StartError
from hearth.cluster.node.streaming.asks import SPDY, Ask
from hearth.cluster.node.streaming.connections import ChannelConnection, SpdyConnection, SpdyLine
from hearth.cluster.node.streaming.outcomes import SUCCESS, Outcome, exited, failed, written
from hearth.cluster.node.streaming.terminals import SizeError, Sizes
from hearth.cluster.node.streaming.wires import Connection, Line, Wire
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

CREATION_SECONDS = 30.0
"""In which a client opens its streams (kubelet's DefaultStreamCreationTimeout)."""
_CHANNELS = {"stdin": 0, "stdout": 1, "stderr": 2, "error": 3, "resize": 4}
_NAMES = {STDOUT: "stdout", STDERR: "stderr"}
_WITHOUT_SIZES = ("v2.channel.k8s.io", "channel.k8s.io")
_MOST_STREAMS = 16


class ClientStreams:
    """``Streams`` of a client."""

    def __init__(self, ask: Ask, lines: Mapping[str, Line]) -> None:
        self.has_stdin = ask.has_stdin
        self.outputs = ask.outputs
        self.is_terminal = ask.is_terminal
        self._lines = lines
        self._sizes = Sizes()
        self._known: deque[Size] = deque()

    async def read(self) -> bytes:
        """The next input."""
        return await self._lines["stdin"].read() if self.has_stdin else b""

    async def write(self, data: bytes, stream: int = STDOUT) -> None:
        """Sends output."""
        if stream in self.outputs:
            await self._lines[_NAMES[stream]].send(data)

    async def resized(self) -> Size:
        """The next size; one that is none is the last."""
        line = self._lines.get("resize")
        while line is not None and not self._known:
            data = await line.read()
            if not data:
                break
            try:
                self._known.extend(self._sizes.receive(data))
            except SizeError as error:
                log.debug("size not understood", extra={"problem": str(error)})
                line.drop()
        if not self._known:
            await asyncio.Event().wait()
        return self._known.popleft()


class Command:
    """One exec or attach: a connection, and the work that is done over it."""

    def __init__(self, ask: Ask, wire: Wire, instance: Instance | None, problem: str = "") -> None:
        self._ask = ask
        self._instance = instance
        self._problem = problem
        self._lines: dict[str, Line] = {}
        self._is_complete = asyncio.Event()
        self._wanted = _wanted(ask)
        self.connection = self._connect(wire)

    def _connect(self, wire: Wire) -> Connection:
        if self._ask.transport == SPDY:
            return SpdyConnection(wire, self._accept, most_streams=_MOST_STREAMS)
        readable = [_CHANNELS["resize"], *([_CHANNELS["stdin"]] if self._ask.has_stdin else [])]
        connection = ChannelConnection(wire, self._ask.protocol, readable=readable)
        self._lines = {name: connection.line(number) for name, number in _CHANNELS.items()}
        self._is_complete.set()
        return connection

    def _accept(self, line: SpdyLine) -> bool:
        kind = line.fields.get("streamtype", "")
        if kind not in _CHANNELS or kind in self._lines:
            return False
        self._lines[kind] = line
        if self._lines.keys() >= self._wanted:
            self._is_complete.set()
        return True

    async def work(self) -> None:
        """Runs it to its end and tells the client how it ended."""
        async with time_limit(CREATION_SECONDS):
            await self._is_complete.wait()
        if self._ask.transport != SPDY:
            await self._greet()
        outcome = await self._outcome()
        told = written(outcome, self._ask.protocol)
        if told:
            await self._lines["error"].send(told)

    async def _greet(self) -> None:
        """An empty message on the first channel that the client reads: the connection is there."""
        first = min(self._ask.outputs, default=_CHANNELS["error"])
        await self._lines[_NAMES.get(first, "error")].send(b"")

    async def _outcome(self) -> Outcome:
        if self._instance is None:
            return failed(self._problem)
        streams = ClientStreams(self._ask, self._lines)
        what = "executing command in" if self._ask.verb == "exec" else "attaching to"
        try:
            if self._ask.verb == "exec":
                code = await self._instance.stream(self._ask.command, streams)
                return exited(code, self._ask.command)
            await self._instance.attach(streams)
        except (StartError, ConnectionError) as error:
            return failed(f"error {what} container: {error}")
        except ExceptionGroup as group:
            known, others = group.split((StartError, ConnectionError))
            if others is not None or known is None:
                raise
            return failed(f"error {what} container: {_first(known)}")
        return SUCCESS


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _wanted(ask: Ask) -> frozenset[str]:
    """The streams that a client of SPDY opens."""
    names = {"error", *(_NAMES[stream] for stream in ask.outputs)}
    if ask.has_stdin:
        names.add("stdin")
    if ask.is_terminal and ask.protocol not in _WITHOUT_SIZES:
        names.add("resize")
    return frozenset(names)

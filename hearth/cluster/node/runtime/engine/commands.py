"""Commands in running containers, and clients that attach, over an engine's hijacked streams."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.cluster.node.runtime.api import ExecResult, StartError, Streams
from hearth.cluster.node.runtime.containers.launching import launch_text
from hearth.cluster.node.runtime.engine.client import EngineClient, EngineError, Hijacked
from hearth.cluster.node.runtime.engine.frames import FrameReader
from hearth.timeouts import time_limit

_API = "/v1.41"
_OUTPUT_LIMIT = 16 * 1024
_CHUNK = 64 * 1024
_NOT_STARTED = (126, 127)


@dataclass(slots=True)
class Commands:
    """Of one container."""

    client: EngineClient
    container: str

    async def run(self, command: Sequence[str], *, timeout: float) -> ExecResult:
        """Runs a command to its end, or until its time is over; raises StartError."""
        session = await self._create(command, tty=False, stdin=False)
        stream = await self._begin(session, tty=False)
        output = bytearray()
        try:
            async with time_limit(timeout):
                async for _, piece in pieces(stream, is_raw=False):
                    output += piece[: max(_OUTPUT_LIMIT - len(output), 0)]
        except TimeoutError:
            await self._kill(session)
            return ExecResult(None, output.decode(errors="replace"))
        finally:
            await stream.close()
        text = output.decode(errors="replace")
        return ExecResult(await self._code(session, text), text)

    async def stream(self, command: Sequence[str], streams: Streams) -> int:
        """Runs a command for a client; its exit code. Cancelled, it ends the command."""
        tty = streams.is_terminal
        session = await self._create(command, tty=tty, stdin=streams.has_stdin)
        stream = await self._begin(session, tty=tty)
        seen = _Seen(streams)
        try:
            await self._converse(stream, seen, is_raw=tty, resize=f"/exec/{session}/resize")
        except BaseException:
            await asyncio.shield(self._kill(session))
            raise
        finally:
            await stream.close()
        return await self._code(session, seen.head.decode(errors="replace"))

    async def attach(self, streams: Streams, *, tty: bool) -> None:
        """Shows the output from now on of a container that takes no input."""
        stream = await self.open(stdin=False)
        try:
            await self._converse(stream, _Seen(streams), is_raw=tty, resize="")
        finally:
            await stream.close()

    async def open(self, *, stdin: bool) -> Hijacked:
        """A connection with the container's output, and its input where it takes one."""
        query = {"stream": True, "stdout": True, "stderr": True, "stdin": stdin}
        return await self.client.hijack(f"{_API}/containers/{self.container}/attach", query)

    async def _converse(self, stream: Hijacked, seen: _Seen, *, is_raw: bool, resize: str) -> None:
        """Carries output until the other side ends; input and sizes go on beside it."""
        sizes = self.follow_size(seen.streams, resize)
        beside = [asyncio.create_task(sizes, name="exec-size")]
        if seen.streams.has_stdin and resize:
            beside.append(asyncio.create_task(_send_input(stream, seen.streams), name="exec-in"))
        try:
            async for number, piece in pieces(stream, is_raw=is_raw):
                await seen.write(piece, number)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def follow_size(self, streams: Streams, path: str) -> None:
        """Tells the engine the size of the client's terminal; ``path`` is of what has one."""
        while streams.is_terminal and path:
            size = await streams.resized()
            with contextlib.suppress(EngineError):
                query = {"h": size.rows, "w": size.columns}
                await self.client.call("POST", _API + path, query, ok=(409,))

    async def _create(self, command: Sequence[str], *, tty: bool, stdin: bool) -> str:
        body: dict[str, Any] = {
            "Cmd": list(command),
            "AttachStdout": True,
            "AttachStderr": not tty,
            "AttachStdin": stdin,
            "Tty": tty,
        }
        path = f"{_API}/containers/{self.container}/exec"
        try:
            return str((await self.client.call("POST", path, body=body))["Id"])
        except EngineError as error:
            raise StartError(str(error)) from error

    async def _begin(self, session: str, *, tty: bool) -> Hijacked:
        body = {"Detach": False, "Tty": tty}
        try:
            return await self.client.hijack(f"{_API}/exec/{session}/start", body=body)
        except EngineError as error:
            raise StartError(launch_text(str(error))) from error

    async def _code(self, session: str, said: str) -> int:
        """The exit code; StartError where the engine itself said that nothing was started."""
        state = await self._state(session)
        while state.get("Running"):  # its output has ended: so will it
            await asyncio.sleep(0.01)
            state = await self._state(session)
        code = int(state.get("ExitCode") or 0)
        if code in _NOT_STARTED and not state.get("Pid") and "exec" in said and "OCI" in said:
            raise StartError(launch_text(said))
        return code

    async def _state(self, session: str) -> dict[str, Any]:
        try:
            state: dict[str, Any] = await self.client.call("GET", f"{_API}/exec/{session}/json")
        except EngineError:
            return {}  # the container has gone with it
        return state

    async def _kill(self, session: str) -> None:
        """The engines have no call for that; the process is on this machine, in a session."""
        pid = int((await self._state(session)).get("Pid") or 0)
        if pid > 1:
            await asyncio.to_thread(_kill_session, pid)


def _kill_session(leader: int) -> None:
    """A command is the leader of a session: with it goes what it has put into the background."""
    for name in os.listdir("/proc"):
        with contextlib.suppress(ValueError, ProcessLookupError, PermissionError):
            if os.getsid(pid := int(name)) == leader:
                os.kill(pid, signal.SIGKILL)


@dataclass(slots=True)
class _Seen:
    """Hands output on, and keeps its beginning: a start that failed is told there."""

    streams: Streams
    head: bytes = b""

    async def write(self, piece: bytes, number: int) -> None:
        self.head += piece[: max(1024 - len(self.head), 0)]
        await self.streams.write(piece, number)


async def pieces(stream: Hijacked, *, is_raw: bool) -> AsyncIterator[tuple[int, bytes]]:
    """What comes, with the number of its stream."""
    frames = FrameReader(is_raw=is_raw)
    while data := await stream.reader.read(_CHUNK):
        for piece in frames.feed(data):
            yield piece


async def _send_input(stream: Hijacked, streams: Streams) -> None:
    while data := await streams.read():
        stream.writer.write(data)
        await stream.writer.drain()
    if stream.writer.can_write_eof():
        stream.writer.write_eof()

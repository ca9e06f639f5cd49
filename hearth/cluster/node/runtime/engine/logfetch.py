"""The log of a container whose engine keeps it: fetched line by line, and after a gap caught up."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from hearth.cluster.node.runtime.engine.client import EngineClient, EngineError
from hearth.cluster.node.runtime.engine.frames import FrameReader
from hearth.cluster.node.runtime.engine.times import seconds_of
from hearth.cluster.node.runtime.logs import RotatingFile

_STREAMS = {1: b"stdout", 2: b"stderr"}
_TAIL = 64 * 1024
_PAUSE = 0.2


class LogFetcher:
    """Writes what a container prints to a file, in the format of ``crilog``, until it has ended."""

    def __init__(self, client: EngineClient, container: str, path: Path, *, tty: bool) -> None:
        self._client = client
        self._container = container
        self._file = RotatingFile(path)
        self._tty = tty
        self._last = last_moment(path)
        self._rest: dict[int, bytes] = {}
        self._task = asyncio.create_task(self._run(), name="container-log")

    async def _run(self) -> None:
        """An engine that goes away is asked again; what it has told is not told twice."""
        while True:
            with contextlib.suppress(EngineError):
                if await self._follow():
                    return
            await asyncio.sleep(_PAUSE)

    async def _follow(self) -> bool:
        """True once the log has ended with its container."""
        since = f"{seconds_of(self._last.decode()):.9f}" if self._last else None
        query = {"follow": True, "stdout": True, "stderr": True, "timestamps": True, "since": since}
        path = f"/v1.41/containers/{self._container}/logs"
        frames = FrameReader(is_raw=self._tty)
        async for data in self._client.stream("GET", path, query):
            for stream, piece in frames.feed(data):
                self._take(stream, piece)
        for stream in list(self._rest):
            self._take(stream, b"\n")
        return await self._has_ended()

    async def _has_ended(self) -> bool:
        try:
            state = await self._client.call("GET", f"/v1.41/containers/{self._container}/json")
        except EngineError as error:
            return error.status == 404
        return not state["State"]["Running"]

    def _take(self, stream: int, piece: bytes) -> None:
        *lines, rest = (self._rest.pop(stream, b"") + piece).split(b"\n")
        if rest:
            self._rest[stream] = rest
        out = b""
        for line in lines:
            moment, _, text = line.partition(b" ")
            if moment > self._last and _STREAMS.get(stream):
                self._last = moment
                out += b"%s %s F %s\n" % (moment, _STREAMS[stream], text.removesuffix(b"\r"))
        if out:
            self._file.write(out)

    async def close(self, seconds: float) -> None:
        """Waits for the rest, so long at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._task, seconds)
        self._file.close()


def last_moment(path: Path) -> bytes:
    """When the last line of a log was printed, as it is written there; empty for no line."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            lines = file.read().splitlines()
    except OSError:
        return b""
    return lines[-1].partition(b" ")[0] if lines else b""

"""HTTP to an engine over its unix socket.

aiohttp, which everything else here uses as well; aiodocker is a layer over it that knows nothing
of Podman's own calls, which are the faster ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from io import IOBase
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp

_LONGEST_SECONDS = 120.0
_HEAD_LIMIT = 64 * 1024


class EngineError(Exception):
    """The engine refused: ``status`` is HTTP's; 0 where it cannot be reached."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Hijacked:
    """A connection that has become a stream of a container's bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def close(self) -> None:
        """Lets go of it."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


def name_in_path(name: str) -> str:
    """The name of an image as part of a path."""
    return quote(name, safe="/:@")


class EngineClient:
    """Calls of one engine; opened by the first call."""

    def __init__(self, socket_path: str) -> None:
        self.socket_path = socket_path
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Ends its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        body: Any = None,
        ok: tuple[int, ...] = (),
        timeout: float | None = _LONGEST_SECONDS,
    ) -> Any:
        """The JSON of the answer, None where it has none; raises EngineError.

        Statuses in ``ok`` are taken for a success, such as 304: it is so already.
        """
        limit = aiohttp.ClientTimeout(total=timeout)
        async with self._answer(method, path, query, body=body, timeout=limit) as answer:
            text = await answer.read()
            if answer.status >= 400 and answer.status not in ok:
                raise EngineError(answer.status, _message(text))
            return json.loads(text) if text.strip() and answer.status < 300 else None

    async def lines(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """The objects that the engine sends one after the other; raises EngineError."""
        limit = aiohttp.ClientTimeout(total=None)
        async with self._answer(
            method, path, query, body=body, timeout=limit, headers=headers
        ) as answer:
            if answer.status >= 400:
                raise EngineError(answer.status, _message(await answer.read()))
            async for line in answer.content:
                if line.strip():
                    yield json.loads(line)

    async def stream(
        self, method: str, path: str, query: Mapping[str, Any] | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of an answer as they come; raises EngineError."""
        limit = aiohttp.ClientTimeout(total=None)
        async with self._answer(method, path, query, body=None, timeout=limit) as answer:
            if answer.status >= 400:
                raise EngineError(answer.status, _message(await answer.read()))
            async for piece in answer.content.iter_any():
                yield piece

    @contextlib.asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        *,
        body: Any,
        timeout: aiohttp.ClientTimeout,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            connector = aiohttp.UnixConnector(self.socket_path, limit=0)
            self._session = aiohttp.ClientSession(connector=connector, read_bufsize=1 << 20)
        payload = {"data": body} if isinstance(body, (bytes, IOBase)) else {"json": body}
        try:
            async with self._session.request(
                method, "http://engine" + _with(path, query), timeout=timeout, headers=headers,
                **(payload if body is not None else {}),
            ) as answer:  # fmt: skip
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = f"the container engine does not answer: {error or type(error).__name__}"
            raise EngineError(0, text) from error

    async def hijack(
        self, path: str, query: Mapping[str, Any] | None = None, *, body: Any = None
    ) -> Hijacked:
        """Makes a connection a stream of bytes both ways; raises EngineError."""
        payload = b"" if body is None else json.dumps(body).encode()
        head = (
            f"POST {_with(path, query)} HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\n"
            "Upgrade: tcp\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n"
        )
        try:
            reader, writer = await asyncio.open_unix_connection(self.socket_path, limit=_HEAD_LIMIT)
            made = Hijacked(reader, writer)
            writer.write(head.encode() + payload)
            said = await reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise EngineError(0, f"the container engine does not answer: {error}") from error
        status = int(said.split(b" ", 2)[1])
        if status not in (101, 200):
            text = await reader.read(_HEAD_LIMIT)
            await made.close()
            raise EngineError(status, _message(text))
        return made


def _with(path: str, query: Mapping[str, Any] | None) -> str:
    given = {k: _text(v) for k, v in (query or {}).items() if v is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def _message(text: bytes) -> str:
    try:
        data = json.loads(text)
        return str(data["message"])
    except (ValueError, KeyError, TypeError):
        return text.decode(errors="replace").strip()[:1000]

"""The ASGI application: from HTTP to ``Request`` and from ``Response`` back. No decisions here.

A browser page must not get in: the Host header has to be one of the server's own names (DNS
rebinding), and requests with a foreign Origin are refused, token or not.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from hearth.cluster.codec.decode import MAX_BODY
from hearth.cluster.codec.paths import parse_target
from hearth.cluster.model import status
from hearth.cluster.operations import auth
from hearth.cluster.operations.api import Api
from hearth.cluster.rest.aggregation import find
from hearth.cluster.rest.connections import TAKE_OVER
from hearth.cluster.rest.handlers.information import GIT_VERSION, handle_information
from hearth.cluster.rest.handlers.openapi import OpenApiDocuments
from hearth.cluster.rest.requests import Cut, Request, Response
from hearth.cluster.rest.routes import handle_aggregate, handle_resource
from hearth.cluster.rest.streams import PROTOCOLS, VERSIONS

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

GZIP_FROM = 128 * 1024
"""As kube-apiserver: small answers cost more to compress than to send."""
_GZIP_LEVEL = 1
_log = logging.getLogger(__name__)


class App:
    """One API server's ASGI application."""

    def __init__(self, api: Api, hosts: frozenset[str]) -> None:
        self._api = api
        self._hosts = hosts
        self._documents = OpenApiDocuments(GIT_VERSION)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI)."""
        if scope["type"] != "http":
            return
        headers = _headers(scope)
        warnings: list[str] = []
        try:
            self._check_origin(headers)
            request = Request(
                method=scope["method"],
                path=_raw_path(scope),
                raw_query=scope["query_string"].decode("latin-1"),
                headers=headers,
                body=b"",
                user=self._api.authenticator.user(headers.get("authorization", "")),
            )
            warnings = request.warnings
            request.body = await _read_body(headers, receive)
            response = await self._answer(request)
        except status.ApiStatus as refusal:
            response = refused(refusal)
        except auth.BadToken:
            response = refused(status.unauthorized())
        except Exception as error:
            _log.exception("request failed", extra={"path": scope["path"]})
            response = refused(status.internal(str(error)))
        if response.carry is not None:
            await _hand_over(response, scope)
            return
        await _send_response(response, warnings, headers, receive=receive, send=send)

    async def _answer(self, request: Request) -> Response:
        aggregate = find(self._api.aggregates, request.path)
        if aggregate is not None:
            return await handle_aggregate(self._api, request, aggregate)
        target = parse_target(request.path)
        if target is None:
            return await handle_information(self._api, self._documents, request)
        return await handle_resource(self._api, request, target)

    def _check_origin(self, headers: Mapping[str, str]) -> None:
        host = _host_name("//" + headers.get("host", ""))
        if host not in self._hosts:
            raise status.forbidden_path(f'the Host header names "{host}", not this server')
        origin = headers.get("origin")
        if origin and _host_name(origin) not in self._hosts:
            raise status.forbidden_path(f'requests from "{origin}" are not accepted')


def _headers(scope: Scope) -> dict[str, str]:
    """By lower-case name; of repeated ones the last, but all of those that choose a protocol."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in (PROTOCOLS, VERSIONS) and name in headers:
            value = f"{headers[name]},{value}"
        headers[name] = value
    return headers


async def _hand_over(response: Response, scope: Scope) -> None:
    """Answers 101 and gives the connection to who goes on with it (``connections``)."""
    fields = [("connection", "Upgrade"), *response.headers]
    lines = ["HTTP/1.1 101 Switching Protocols", *(f"{name}: {value}" for name, value in fields)]
    reader, writer = scope["extensions"][TAKE_OVER]()
    assert response.carry is not None
    try:
        writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1"))
        await response.carry(reader, writer)
    finally:
        writer.close()


def _host_name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


async def _read_body(headers: Mapping[str, str], receive: Receive) -> bytes:
    """The whole body; 413 as soon as it is known to be too large."""
    length = headers.get("content-length")
    if length is None and "transfer-encoding" not in headers:
        return b""
    if length is not None and int(length) > MAX_BODY:
        raise status.too_large(MAX_BODY)
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise status.bad_request("the client went away")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise status.too_large(MAX_BODY)
        if not message.get("more_body"):
            break
    body = b"".join(parts)
    return _unzipped(body) if headers.get("content-encoding") == "gzip" else body


def _unzipped(body: bytes) -> bytes:
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = stream.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise status.bad_request(f"gzip: {error}") from None
    if len(plain) > MAX_BODY:
        raise status.too_large(MAX_BODY)
    return plain


def refused(refusal: status.ApiStatus) -> Response:
    """A refusal as an answer, with Retry-After where it has one."""
    headers: tuple[tuple[str, str], ...] = ()
    retry = (refusal.details or {}).get("retryAfterSeconds")
    if retry:
        headers = (("retry-after", str(retry)),)
    return Response(refusal.code, orjson.dumps(refusal.body()), headers=headers)


async def _send_response(
    response: Response,
    warnings: list[str],
    headers: Mapping[str, str],
    *,
    receive: Receive,
    send: Send,
) -> None:
    sent = [
        (b"content-type", response.content_type.encode()),
        (b"cache-control", b"no-cache, private"),
    ]
    sent += [(name.encode(), value.encode()) for name, value in response.headers]
    # A header has one line: a warning of several becomes several.
    lines = [line for text in warnings for line in text.split("\n")]
    sent += [(b"warning", _warning(line)) for line in dict.fromkeys(lines)]
    wants_gzip = "gzip" in headers.get("accept-encoding", "")
    if isinstance(response.body, bytes):
        body = response.body
        if wants_gzip and len(body) >= GZIP_FROM:
            body = await asyncio.to_thread(_zipped, body)
            sent.append((b"content-encoding", b"gzip"))
        sent.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": sent})
        await send({"type": "http.response.body", "body": body})
        return
    await _send_stream(response.body, response.status, sent, receive=receive, send=send)


def _warning(text: str) -> bytes:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{quoted}"'.encode()


def _zipped(body: bytes) -> bytes:
    stream = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return stream.compress(body) + stream.flush()


async def _send_stream(
    pieces: AsyncIterator[bytes],
    code: int,
    headers: list[tuple[bytes, bytes]],
    *,
    receive: Receive,
    send: Send,
) -> None:
    """Sends pieces as they come until they end or the client goes away."""
    await send({"type": "http.response.start", "status": code, "headers": headers})
    sending = asyncio.ensure_future(_send_pieces(pieces, send))
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, gone):
            task.cancel()
        results = await asyncio.gather(sending, gone, return_exceptions=True)
    if isinstance(results[0], Exception):
        raise results[0]


async def _send_pieces(pieces: AsyncIterator[bytes], send: Send) -> None:
    try:
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except Cut:
        pass  # without its end uvicorn closes the connection
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""An asynchronous client of the Kubernetes API: thin over aiohttp, typed errors, raw objects.

Used by every controller, the node, the activator and the command line. It neither caches nor
retries of its own accord: caching is ``hearth.kube.cache``, retrying is the work queue's task.
Only where the server itself asks to come back later (``Retry-After``) is a request sent again.
"""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import aiohttp
import orjson

from hearth.kube.access import Access, Certificate
from hearth.kube.decoding import decoded
from hearth.kube.errors import ApiError, error_for, unreachable
from hearth.kube.kubeconfig import access_of
from hearth.kube.meta import Object, name, namespace
from hearth.kube.patch import APPLY_PATCH, MERGE_PATCH
from hearth.kube.resources import Resource
from hearth.timeouts import time_limit

_CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 60.0
WATCH_SILENCE_SECONDS = 90.0
"""A watch on which nothing comes for so long is held to be dead, though its connection may look
open: servers send bookmarks, kube-apiserver every minute and ours every half. Of a kind of which it
hears nothing kube-apiserver may send none; such a watch is begun anew, which costs one request."""
_WHOLE_BYTES = 64 * 1024
_MAX_WATCH_LINE = 64 * 1024 * 1024
_MAX_TRIES = 10
"""Of a request that the server puts off, as client-go has it."""
_LONGEST_WAIT_SECONDS = 10.0
_STREAM_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDOUT, _STDERR, _OUTCOME = 1, 2, 3
"""Channels of these protocols: the first byte of a message."""
_LAST_WORDS = 4096


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """``type`` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Object


def _is_news(_line: bytes) -> bool:
    return False


class KubeClient:
    """Requests against one API server. Use as an async context manager."""

    def __init__(
        self,
        access: Access,
        *,
        user_agent: str = "hearth",
        watch_silence_seconds: float = WATCH_SILENCE_SECONDS,
        most_connections: int = 0,
    ) -> None:
        """``most_connections`` bounds requests and watches under way; 0 for no bound."""
        self._access = access
        # By its socket nothing is encrypted, which saves both sides some 50 KB a connection.
        self._server = access.server if access.socket is None else "http://localhost"
        self._ssl = access.ssl_context() if access.socket is None else True
        self._watch_silence_seconds = watch_silence_seconds
        self._user_agent = user_agent
        headers = {"Accept": "application/json", "User-Agent": user_agent}
        if access.token:
            headers["Authorization"] = f"Bearer {access.token}"
        self._authorization = access.authorization
        self._server_name = access.server_name
        self._session = aiohttp.ClientSession(
            headers=headers,
            proxy=access.proxy,
            connector=_connector(access, most_connections),
            timeout=aiohttp.ClientTimeout(total=_REQUEST_SECONDS, **_connecting(most_connections)),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    @classmethod
    def from_kubeconfig(cls, path: Path, *, user_agent: str = "hearth") -> KubeClient:
        """Connect to what the current context of a kubeconfig names."""
        return cls(access_of(path), user_agent=user_agent)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    # -- reading ---------------------------------------------------------------------------

    async def get(
        self, resource: Resource, name: str, namespace: str | None = None, *, subresource: str = ""
    ) -> Object:
        """Return one object; raise ``NotFound`` when there is none."""
        return await self.request("GET", resource.path(namespace, name, subresource))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        limit: int | None = None,
    ) -> tuple[list[Object], str]:
        """Return all objects, read in pages of ``limit``, and the list's resourceVersion.

        Items of a list carry no apiVersion and kind on the wire; they are filled in here.
        """
        query = _query(labelSelector=label_selector, fieldSelector=field_selector, limit=limit)
        items: list[Object] = []
        while True:
            page = await self.request("GET", resource.path(namespace), query=query)
            items += page["items"] or ()
            following = page["metadata"].get("continue")
            if not following:
                break
            query["continue"] = following
        for item in items:
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        return items, str(page["metadata"]["resourceVersion"])

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: int | None = None,
        is_known: Callable[[bytes], bool] = _is_news,
    ) -> AsyncIterator[WatchEvent]:
        """Yield the changes after ``resource_version`` until the server ends the stream.

        Raise ``Gone`` when the version is compacted away, ``Unavailable`` when the server cannot be
        reached, has nothing to say for too long or says what is no watch event.
        ``timeout_seconds`` asks the server to end the stream by then. A line of which ``is_known``
        says so is passed over unread.
        """
        query = _query(
            watch=1,
            allowWatchBookmarks="true",
            resourceVersion=resource_version,
            labelSelector=label_selector,
            fieldSelector=field_selector,
            timeoutSeconds=timeout_seconds,
        )
        timeout = aiohttp.ClientTimeout(
            total=None, connect=_CONNECT_SECONDS, sock_read=self._watch_silence_seconds
        )
        async for line in self.stream_lines(resource.path(namespace), query, timeout=timeout):
            if not is_known(line):
                yield self._watch_event(line)

    def _watch_event(self, line: bytes) -> WatchEvent:
        try:
            event = orjson.loads(line)
            kind, obj = str(event["type"]), event["object"]
        except (ValueError, TypeError, LookupError) as error:
            raise unreachable(self._server, error) from error
        if kind == "ERROR":
            raise error_for(obj)
        return WatchEvent(kind, obj)

    async def logs(
        self, name: str, namespace: str, *, query: Mapping[str, str] | None = None
    ) -> AsyncIterator[bytes]:
        """Return the log of a pod, line by line; with ``follow`` until the container ends."""
        timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS)
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
        async for line in self.stream_lines(path, dict(query or {}), timeout=timeout):
            yield line

    async def stream_lines(
        self, path: str, query: dict[str, str], *, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[bytes]:
        """Yield the lines of an answer as they come."""
        try:
            async with self._asked("GET", path, query, timeout=timeout) as response:
                if response.status >= 400:
                    raise error_for(_status_of(response.status, await response.read()))
                async for line in _lines(response.content):
                    yield line
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unreachable(self._server, error) from error

    async def output(
        self, pod: str, namespace: str, command: Sequence[str]
    ) -> AsyncIterator[bytes]:
        """Run a command in a pod's first container; yield what it writes, in pieces as they come.

        Raises ApiError with its last words where it fails.
        """
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        query = [*(("command", each) for each in command), ("stdout", "true"), ("stderr", "true")]
        words = bytearray()
        async with self._websocket(path, query) as opened:
            async for message in opened:
                channel, piece = message.data[0], message.data[1:]
                if channel == _STDOUT:
                    if piece:
                        yield piece
                elif channel == _STDERR:
                    words = (words + piece)[-_LAST_WORDS:]
                elif (
                    channel == _OUTCOME and (outcome := orjson.loads(piece))["status"] != "Success"
                ):
                    said = words.decode(errors="replace").strip()
                    raise error_for({"message": said or outcome.get("message", "it failed")})

    @asynccontextmanager
    async def _websocket(
        self, path: str, query: Sequence[tuple[str, str]]
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse[bool]]:
        # Of a stream kube-apiserver has nothing to offer that is called JSON.
        headers = {"Accept": "*/*"}
        await self._identify(headers, refused=None)
        try:
            async with self._session.ws_connect(
                self._server + path,
                params=query,
                protocols=_STREAM_PROTOCOLS,
                headers=headers,
                ssl=self._ssl,
                server_hostname=self._server_name,
            ) as opened:
                yield opened
        except aiohttp.WSServerHandshakeError as error:
            words = f"the server lets no command be run in the pod: HTTP {error.status}"
            raise error_for({"code": error.status, "message": words}) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unreachable(self._server, error) from error

    # -- writing ---------------------------------------------------------------------------

    async def create(
        self,
        resource: Resource,
        obj: Object,
        *,
        dry_run: bool = False,
        field_manager: str | None = None,
    ) -> Object:
        """Create an object and return it as stored; raise ``AlreadyExists``."""
        path = resource.path(namespace(obj) or None)
        query = _query(dryRun="All" if dry_run else None, fieldManager=field_manager)
        return await self.request("POST", path, body=obj, query=query)

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        """Replace an object; raise ``Conflict`` when it was changed since it was read."""
        path = resource.path(namespace(obj) or None, name(obj), subresource)
        return await self.request("PUT", path, body=obj)

    async def update_status(self, resource: Resource, obj: Object) -> Object:
        """Replace the status of an object; raise ``Conflict`` as ``update`` does."""
        return await self.update(resource, obj, subresource="status")

    async def patch(
        self,
        resource: Resource,
        name: str,
        namespace: str | None,
        patch: Any,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
    ) -> Object:
        """Change some fields of an object; ``content_type`` says what kind of patch it is."""
        path = resource.path(namespace, name, subresource)
        return await self.request("PATCH", path, body=patch, content_type=content_type)

    async def apply(
        self,
        resource: Resource,
        obj: Object,
        *,
        field_manager: str,
        force: bool = True,
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply: ``obj`` holds only the fields this manager wants to own."""
        path = resource.path(namespace(obj) or None, name(obj))
        query = _query(
            fieldManager=field_manager,
            force="true" if force else "false",
            dryRun="All" if dry_run else None,
        )
        return await self.request("PATCH", path, body=obj, query=query, content_type=APPLY_PATCH)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        propagation: str | None = None,
        grace_period_seconds: int | None = None,
        uid: str | None = None,
    ) -> Object:
        """Delete an object, or begin to; ``uid`` guards against deleting its successor."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if propagation is not None:
            options["propagationPolicy"] = propagation
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        return await self.request("DELETE", resource.path(namespace, name), body=options)

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        fields: Mapping[str, str] | None = None,
    ) -> Object:
        """One request; the decoded answer, or an ``ApiError``. ``fields`` are further headers."""
        content = None if body is None else (content_type, orjson.dumps(body))
        try:
            async with self._asked(method, path, query, content=content, fields=fields) as response:
                payload = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unreachable(self._server, error) from error
        if response.status >= 400:
            raise error_for(_status_of(response.status, payload))
        try:
            answer: Object = decoded(payload) if payload else {}
        except orjson.JSONDecodeError as error:
            raise unreachable(self._server, error) from error
        return answer

    @asynccontextmanager
    async def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        *,
        content: tuple[str, bytes] | None = None,
        fields: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the answer; one that only says when to come back is obeyed, not shown.

        Credentials that renew themselves are shown anew, once, where they are refused.
        """
        options: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        headers = options["headers"] = dict(fields or {})
        if content is not None:
            headers["Content-Type"] = content[0]
        if self._server_name is not None:
            options["server_hostname"] = self._server_name
        shown = None
        for tries in itertools.count(1):
            if content is not None:
                options["data"] = _payload(content[1])
            refused, shown = shown, await self._identify(headers, refused=shown)
            options["ssl"] = self._ssl
            async with self._session.request(
                method, self._server + path, params=query, **options
            ) as response:
                if response.status == 401 and shown is not None and refused is None:
                    continue
                shown = None
                wait = wait_asked_for(response.status, response.headers.get("Retry-After"))
                if wait is None or tries == _MAX_TRIES:
                    yield response
                    return
            await asyncio.sleep(wait)

    async def _identify(self, headers: dict[str, str], *, refused: str | None) -> str | None:
        """Say who we are, where the session's own headers do not; return what was said."""
        if self._authorization is None:
            return None
        who = await self._authorization.header(rejected=refused)
        self._show(self._authorization.certificate)
        if who is not None:
            headers["Authorization"] = who
        return who

    def _show(self, certificate: Certificate | None) -> None:
        """Open connections of their own for a new client certificate; old ones end unused."""
        if certificate is not None and certificate != self._access.client_certificate:
            self._access = replace(self._access, client_certificate=certificate)
            self._ssl = self._access.ssl_context()


def _connector(access: Access, limit: int) -> aiohttp.BaseConnector:
    if access.socket is not None:
        return aiohttp.UnixConnector(str(access.socket), limit=limit, keepalive_timeout=60)
    return aiohttp.TCPConnector(limit=limit, keepalive_timeout=60)


def _connecting(limit: int) -> dict[str, float]:
    """How long connecting may take; waiting for one's turn is none of it."""
    return {"sock_connect" if limit else "connect": _CONNECT_SECONDS}


def wait_asked_for(status: int, retry_after: str | None) -> float | None:
    """Return the seconds after which to send a request again; None when the answer stands.

    429 (API Priority and Fairness) and failures of the server count, where they say so in whole
    seconds: the rule of client-go.
    """
    is_put_off = status == 429 or status >= 500
    if not is_put_off or retry_after is None or not retry_after.isdecimal():
        return None
    return min(float(retry_after), _LONGEST_WAIT_SECONDS)


def _payload(body: bytes) -> bytes | io.BytesIO:
    """A body as it is sent: a large one piece by piece, for in one it would hold the loop up."""
    return body if len(body) <= _WHOLE_BYTES else io.BytesIO(body)


def _query(**given: Any) -> dict[str, str]:
    return {key: str(value) for key, value in given.items() if value is not None}


def _status_of(code: int, payload: bytes) -> dict[str, Any]:
    try:
        status = orjson.loads(payload)
    except orjson.JSONDecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return status
    return {"kind": "Status", "code": code, "message": payload[:500].decode(errors="replace")}


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length up to a limit (``readline`` of aiohttp stops at 64 KiB)."""
    pending = bytearray()
    async for chunk in stream.iter_any():
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            pending += chunk[start:end]
            yield bytes(pending)
            pending.clear()
            start = end + 1
        pending += chunk[start:]
        if len(pending) > _MAX_WATCH_LINE:
            raise aiohttp.ClientPayloadError("a line of the stream is too long")
    if pending:
        yield bytes(pending)


async def retry_until_available(client: KubeClient, *, seconds: float) -> None:
    """Waits until the API server says it is ready; raises ``Unavailable`` when it never does."""
    async with time_limit(seconds):
        while True:
            try:
                await client.request("GET", "/version")
                return
            except ApiError:
                await asyncio.sleep(0.02)

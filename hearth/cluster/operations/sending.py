"""Sends requests on to the API servers behind APIServices: only to endpoints of their Services.

aiohttp is imported at the first question: a server without APIServices does without it.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hearth.cluster.admission.caller import go_error
from hearth.cluster.model.aggregates import Aggregate

if TYPE_CHECKING:
    import aiohttp

_KEEP_ALIVE_SECONDS = 60
_CONNECT_SECONDS = 5.0
_MOST_CONTEXTS = 64

Endpoints = Callable[[str, str, int], tuple[str, int]]
"""A ready address of a Service, by namespace, name and port; LookupError where there is none."""


class Unreachable(Exception):
    """The server behind an APIService did not answer; the text is Go's."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request to send on; ``target`` is path and query as they came."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""


class Sender:
    """One pool of connections to all of them; close it with the server."""

    def __init__(self, endpoints: Endpoints, certificate: Path, key: Path) -> None:
        self._endpoints = endpoints
        self._certificate = certificate
        self._key = key
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[tuple[bytes, bool], ssl.SSLContext] = {}

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def url(self, aggregate: Aggregate, target: str) -> str:
        """Where a question goes; LookupError where the Service has no endpoint."""
        host, port = self._endpoints(aggregate.namespace, aggregate.service, aggregate.port)
        shown = f"[{host}]" if ":" in host else host
        return f"https://{shown}:{port}{target}"

    @contextlib.asynccontextmanager
    async def answer(
        self, aggregate: Aggregate, question: Question, *, seconds: float | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer while the block lasts; Unreachable, or LookupError without an endpoint.

        ``seconds`` is for the whole of it; None for what may last.
        """
        import aiohttp
        from yarl import URL

        url = self.url(aggregate, question.target)
        try:
            async with self._open().request(
                question.method,
                URL(url, encoded=True),
                headers=[*question.headers, ("host", aggregate.host)],
                data=question.body or None,
                ssl=self._context(aggregate),
                server_hostname=aggregate.host,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS),
            ) as response:
                yield response
        except TimeoutError:
            raise Unreachable("context deadline exceeded") from None
        except aiohttp.ClientError as error:
            raise Unreachable(go_error(_cause(error))) from error

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _context(self, aggregate: Aggregate) -> ssl.SSLContext:
        """Trust as the APIService has it, and the certificate by which this server is known."""
        known = aggregate.ca_bundle, aggregate.is_insecure
        context = self._contexts.get(known)
        if context is None:
            context = _trusting(aggregate)
            context.load_cert_chain(self._certificate, self._key)
            if len(self._contexts) >= _MOST_CONTEXTS:
                self._contexts.clear()
            self._contexts[known] = context
        return context


def _trusting(aggregate: Aggregate) -> ssl.SSLContext:
    if not aggregate.ca_bundle and not aggregate.is_insecure:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if aggregate.is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=aggregate.ca_bundle.decode("ascii", "replace"))
    return context


def _cause(error: Any) -> Exception:
    """What is behind an error of the HTTP library."""
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    return inner if isinstance(inner, Exception) else OSError(str(error) or "EOF")


async def read_all(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """The whole body; None where it is longer than ``limit``."""
    parts, size = [], 0
    async for piece in response.content.iter_any():
        parts.append(piece)
        size += len(piece)
        if size > limit:
            return None
    return b"".join(parts)

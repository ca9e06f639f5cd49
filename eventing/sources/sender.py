"""Sends events to a sink, again where the rules of delivery say so.

For what is off the hot path: adapters of sources, and ``hearth event send``. The broker has a
client of its own (``eventing.runtime.client``); what follows an answer is decided by the same
function. Proxies of the environment are used, as in pods of one machine, where in-cluster names
are reached that way.
"""

from __future__ import annotations

import contextlib
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from eventing.api.trust import FOLDER
from eventing.codec import Event, encode_structured, render_head
from eventing.codec.structured import CONTENT_TYPE
from eventing.runtime.policy import (
    Backoff,
    DeliveryPolicy,
    Outcome,
    Retry,
    is_success,
    next_step,
    parse_retry_after,
)
from eventing.runtime.target import CLUSTER_LOCAL, Address, Target, parse_target
from eventing.runtime.tracing.words import Attributes
from eventing.sources.tracing import SendTracing
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.timers import pause
from hearth.timeouts import time_limit

SOURCE_POLICY = DeliveryPolicy(
    retries=5, backoff=Backoff.EXPONENTIAL, delay_seconds=0.05, timeout_seconds=60.0
)
"""How hard sources try: Knative's adapters try five times more, after 50 ms and twice that."""

_TRACEPARENT = "traceparent"
ANSWER_BYTES = 64 * 1024
"""So much of an answer is read."""
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Sent:
    """How sending ended: what the receiver said last."""

    status: int
    """0 where there was no answer."""
    reason: str = ""
    text: str = ""
    error: str = ""
    """Why there was no answer."""
    attempts: int = 1
    fields: Sequence[tuple[bytes, bytes]] = ()
    """Of the answer, with names in lower case."""
    content: bytes = b""
    """What it carries; cut off at 64 KiB."""
    retry_after: float = 0.0
    """Seconds after which to try again, where it says so."""

    @property
    def accepted(self) -> bool:
        """Whether the event was taken."""
        return is_success(self.status)

    def __str__(self) -> str:
        said = f"{self.status} {self.reason} {self.text}".strip() if self.status else self.error
        return said if self.attempts == 1 else f"{said} (after {self.attempts} attempts)"


class Sender:
    """Connections to sinks, kept until it is closed. Use it as a context."""

    def __init__(
        self,
        policy: DeliveryPolicy = SOURCE_POLICY,
        *,
        gateway: Address | None = None,
        ca_certs: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = pause,
        roll: Callable[[], float] = random.random,
        wall: Clock = wall_clock,
        tracing: SendTracing | None = None,
    ) -> None:
        """``gateway`` takes what is for in-cluster hosts; ``ca_certs`` (PEM) are trusted too.

        Raises ValueError where these are no certificates.
        """
        self._policy = policy
        self._gateway = gateway
        self._sleep = sleep
        self._roll = roll
        self._wall = wall
        self._tracing = tracing
        context = _context(ca_certs)
        self._client = httpx.AsyncClient(
            transport=transport,
            verify=context,
            mounts=_tunnels(gateway, context),
            timeout=httpx.Timeout(policy.timeout_seconds, connect=_CONNECT_SECONDS),
            trust_env=transport is None,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all connections."""
        await self._client.aclose()

    async def send(
        self,
        url: str,
        event: Event,
        *,
        structured: bool = False,
        authorization: str | None = None,
        namespace: str = "",
        source: Attributes | None = None,
    ) -> Sent:
        """Send with POST until it is taken, or until there is no point in it any more.

        ``authorization`` is the value of that header; ``namespace`` is whose event it is, told in
        ``Kn-Namespace`` as Knative's adapters do. ``*.localhost`` is this machine, whatever the
        resolver says. ``source`` is what its span says of it. Raises ValueError for a URL that
        nothing can be sent to.
        """
        target = parse_target(url, self._gateway)
        content, headers = _message(event, structured=structured or self._policy.structured)
        if authorization is not None:
            headers["Authorization"] = authorization
        if namespace:
            headers["Kn-Namespace"] = namespace
        sending = self._tracing.begin() if self._tracing is not None else None
        if sending is None:
            return await self._send(target, content, headers)
        headers[_TRACEPARENT] = sending.header
        sent = await self._send(target, content, headers)
        sending.ended(
            url,
            event.attributes,
            source or {},
            status=sent.status,
            error=sent.error,
            attempts=sent.attempts,
        )
        return sent

    async def _send(self, target: Target, content: bytes, headers: dict[str, str]) -> Sent:
        attempts = 0
        while True:
            request = self._request(target, content, headers)
            attempts += 1
            sent = await self._attempt(request, attempts)
            outcome = Outcome(sent.status, sent.retry_after)
            step = next_step(self._policy, attempts, outcome, now=0.0, jitter=self._roll())
            if not isinstance(step, Retry):
                return sent
            await self._sleep(step.at)

    def _request(self, target: Target, content: bytes, headers: dict[str, str]) -> httpx.Request:
        host, port = target.address
        shown = f"[{host}]" if ":" in host else host
        scheme = "http" if target.tls_name is None else "https"
        # The certificate is for the name of the URL, whatever is connected to.
        extensions = {} if target.tls_name is None else {"sni_hostname": target.tls_name}
        return self._client.build_request(
            "POST",
            f"{scheme}://{shown}:{port}{target.path.decode('ascii')}",
            content=content,
            headers={"Host": target.authority.decode("ascii"), **headers},
            extensions={"timeout": self._client.timeout.as_dict(), **extensions},
        )

    async def _attempt(self, request: httpx.Request, attempts: int) -> Sent:
        """One attempt: how it ended."""
        try:
            # Each wait has its own limit in httpx; together they may not take longer either.
            async with time_limit(self._policy.timeout_seconds):
                answer = await self._client.send(request, stream=True)
                try:
                    content = await _beginning(answer)
                finally:
                    await answer.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            said = str(error) or ("it took too long" if _is_late(error) else type(error).__name__)
            return Sent(0, error=said, attempts=attempts)
        given = answer.headers.get("retry-after", "").encode("latin-1")
        return Sent(
            answer.status_code,
            answer.reason_phrase,
            content.decode(errors="replace").strip(),
            attempts=attempts,
            fields=[(name.lower(), value) for name, value in answer.headers.raw],
            content=content,
            retry_after=parse_retry_after(given, now=self._wall()) if given else 0.0,
        )


def _is_late(error: Exception) -> bool:
    return isinstance(error, TimeoutError | httpx.TimeoutException)


async def _beginning(answer: httpx.Response) -> bytes:
    """The beginning of what the receiver said; the rest is its own business."""
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) >= ANSWER_BYTES:
            break
    return bytes(body[:ANSWER_BYTES])


def _message(event: Event, *, structured: bool) -> tuple[bytes, dict[str, str]]:
    if structured:
        return encode_structured(event), {"content-type": CONTENT_TYPE.decode()}
    lines = render_head(event).decode("utf-8").split("\r\n")[:-1]
    return event.data or b"", dict(line.split(": ", 1) for line in lines)


def _tunnels(
    gateway: Address | None, context: ssl.SSLContext
) -> dict[str, httpx.AsyncHTTPTransport]:
    """Ways to in-cluster hosts for TLS, which cannot end at the gateway."""
    if gateway is None:
        return {}
    host, port = gateway
    proxy = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return {
        f"https://*{suffix}": httpx.AsyncHTTPTransport(verify=context, proxy=proxy)
        for suffix in CLUSTER_LOCAL
    }


def _context(ca_certs: str | None) -> ssl.SSLContext:
    """Trust the system, trust bundles that are mounted, and what is given."""
    context = ssl.create_default_context()
    for path in sorted(Path(FOLDER).glob("*")):
        with contextlib.suppress(OSError, ssl.SSLError):  # one that cannot be read is no reason
            context.load_verify_locations(path)
    if ca_certs:
        try:
            context.load_verify_locations(cadata=ca_certs)
        except ssl.SSLError as error:
            raise ValueError(f"these are no certificates (PEM): {error}") from error
    return context

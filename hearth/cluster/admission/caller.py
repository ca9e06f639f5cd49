"""Calling webhooks: HTTPS with kept connections, and Go's words for what can go wrong.

The only module here that does I/O. aiohttp is imported at the first call: an API server without
webhooks does without it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from hearth.cluster.admission.registrations import Target
from hearth.timeouts import time_limit

if TYPE_CHECKING:
    import aiohttp

_KEEP_ALIVE_SECONDS, _BURST_SECONDS = 60.0, 5.0
_FEW = 8
"""Of more questions at once the connections are kept for a shorter time: each holds 256 KiB for TLS
on either side."""
_CONTEXTS = 64


class CallError(Exception):
    """A webhook that could not be asked, or did not answer as one should."""


class Services(Protocol):
    """Finds the address behind a Service: (host, port), or a LookupError with Kubernetes' words."""

    def __call__(self, namespace: str, name: str, port: int) -> tuple[str, int]:
        """The address behind a port of a Service; LookupError in Kubernetes' words."""


def no_services(namespace: str, name: str, port: int) -> tuple[str, int]:
    """Finds none: for callers of webhooks that are all named by URL."""
    raise LookupError(f'service "{name}" not found')


class Caller:
    """One pool of connections for all webhooks; close it with the server."""

    def __init__(self, services: Services = no_services) -> None:
        self._services = services
        self._sessions: dict[float, aiohttp.ClientSession] = {}
        self._asking = 0
        self._contexts: OrderedDict[bytes, ssl.SSLContext] = OrderedDict()

    async def close(self) -> None:
        """Closes the connections to all webhooks."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def post(self, target: Target, body: bytes, *, timeout_seconds: int) -> bytes:
        """The body of a 200 answer; raises CallError otherwise."""
        address = target.address()
        shown = f'Post "{address}?timeout={timeout_seconds}s"'
        try:
            async with time_limit(timeout_seconds):
                try:
                    return await self._post(target, body, timeout_seconds)
                except (EOFError, ConnectionResetError, BrokenPipeError):
                    # The webhook closed a kept connection at that moment. Asking twice does no
                    # harm: webhooks must bear to be asked again.
                    return await self._post(target, body, timeout_seconds)
        except TimeoutError:
            raise CallError(f"{shown}: context deadline exceeded") from None
        except LookupError as error:
            raise CallError(f"{shown}: {error.args[0]}") from None
        except (OSError, ssl.SSLError, EOFError, ValueError) as error:
            raise CallError(f"{shown}: {go_error(error)}") from error

    async def _post(self, target: Target, body: bytes, timeout_seconds: int) -> bytes:
        import aiohttp

        url, host_name = self._resolve(target)
        headers = {"Content-Type": "application/json", "Accept": "application/json, */*"}
        if host_name:
            headers["Host"] = f"{host_name}:{target.service_port}"
        question = self._open().post(
            f"{url}{'&' if '?' in url else '?'}timeout={timeout_seconds}s",
            data=body,
            headers=headers,
            ssl=self._context(target.ca_bundle),
            server_hostname=host_name or None,
            allow_redirects=False,
        )
        self._asking += 1
        try:
            async with question as response:
                answer = await response.read()
                if response.status != 200:
                    raise CallError(_unexpected(response.status, answer))
                return answer
        except aiohttp.ClientError as error:
            raise _cause(error) from error
        finally:
            self._asking -= 1

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        seconds = _KEEP_ALIVE_SECONDS if self._asking < _FEW else _BURST_SECONDS
        session = self._sessions.get(seconds)
        if session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=seconds, ttl_dns_cache=30)
            session = self._sessions[seconds] = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
                headers={"User-Agent": "kube-apiserver-admission"},
            )
        return session

    def _resolve(self, target: Target) -> tuple[str, str]:
        """The URL to connect to and, for a Service, the name its certificate must have."""
        if target.url:
            return target.url, ""
        host, port = self._services(
            target.service_namespace, target.service_name, target.service_port
        )
        name = f"{target.service_name}.{target.service_namespace}.svc"
        shown = f"[{host}]" if ":" in host else host
        return f"https://{shown}:{port}/{target.path.removeprefix('/')}", name

    def _context(self, bundle: bytes) -> ssl.SSLContext:
        """Trust in the webhook's own authority, or in the system's where it names none."""
        context = self._contexts.get(bundle)
        if context is None:
            context = ssl.create_default_context()
            if bundle:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.load_verify_locations(cadata=bundle.decode("ascii", "replace"))
            with contextlib.suppress(AttributeError):
                context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            self._contexts[bundle] = context
            if len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        return context


def _cause(error: Exception) -> Exception:
    """What is behind an error of the HTTP library."""
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    if isinstance(inner, Exception):
        return inner
    if isinstance(error.__cause__, ConnectionError):
        # A kept connection that closed before the question was written: aiohttp tells that by an
        # error without a number and hides the reset behind it.
        return error.__cause__
    if type(error).__name__ == "ServerDisconnectedError":
        return EOFError("EOF")
    return OSError(str(error))


def go_error(error: Exception) -> str:
    """An error of the network in the words of Go."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls: failed to verify certificate: x509: " + _certificate_problem(error)
    if isinstance(error, ssl.SSLError):
        if "WRONG_VERSION_NUMBER" in str(error) or "HTTP_REQUEST" in str(error):
            return "http: server gave HTTP response to HTTPS client"
        return f"remote error: tls: {(error.reason or 'handshake failure').lower()}"
    if isinstance(error, ConnectionRefusedError):
        return "dial tcp: connect: connection refused"
    if isinstance(error, ConnectionResetError):
        return "read tcp: connection reset by peer"
    if isinstance(error, socket.gaierror):
        return "dial tcp: lookup: no such host"
    return str(error)


def _certificate_problem(error: ssl.SSLCertVerificationError) -> str:
    text = error.verify_message or ""
    if "self-signed" in text or "self signed" in text or "unable to get" in text:
        return "certificate signed by unknown authority"
    if "Hostname mismatch" in text or "IP address mismatch" in text:
        return "certificate is valid for other names, not for this one"
    if "expired" in text:
        return "certificate has expired or is not yet valid"
    return text or "certificate is not valid"


def _unexpected(code: int, body: bytes) -> str:
    """What client-go says of an answer that is no success."""
    if code == 404:
        return "the server could not find the requested resource"
    if code == 401:
        return "the server has asked for the client to provide credentials"
    if code == 503:
        return "the server is currently unable to handle the request"
    if code >= 500:
        text = body[:2048].decode("utf-8", "replace").strip()
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'an error on the server ("{escaped}") has prevented the request from succeeding'
    return f"the server responded with the status code {code} but did not return more information"

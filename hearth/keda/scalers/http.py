"""What scalers ask by HTTP: a pooled client for each, its TLS and authentication, bounded answers.

What is shown of a failure is host, path and status: a query, a user in the URL and a body may be
secret.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
import urllib.parse
from collections.abc import AsyncGenerator, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from hearth.keda.scalers.authentication import Authentication, TokenSource
from hearth.keda.scalers.seam import ConfigError, ScalerError, TriggerConfig
from hearth.keda.scalers.telling import LISTENER
from hearth.keda.scalers.tls import client_context
from hearth.kube.clusterdomain import CLUSTER_DOMAIN

_LARGEST_ANSWER = 2**24
"""Bytes; an application's metrics page is some 100 KB."""
_SUCCESS = range(200, 300)
_EARLY = 10.0
"""Seconds before its end from which a token is not used any more, as in Go's oauth2."""
_API_KEY_NAMES = {"header": "X-API-KEY", "query": "api_key"}


def client(
    config: TriggerConfig,
    *,
    unsafe_ssl: bool = False,
    timeout: float | None = None,
    auth: Authentication | None = None,
    ca: str = "",
    cert: str = "",
    key: str = "",
    key_password: str = "",
    headers: Mapping[str, str] | None = None,
) -> httpx.AsyncClient:
    """Return a client, not yet connected; ``timeout`` is the trigger's own. Raises ConfigError."""
    sent, queried, credentials = dict(headers or {}), dict[str, str](), None
    if auth is not None:
        ca = auth.ca
        if "tls" in auth.modes:
            cert, key = auth.cert, auth.key
        credentials = _credentials(auth)
        if "bearer" in auth.modes:
            sent["Authorization"] = f"Bearer {auth.bearer_token}"
        if "custom" in auth.modes:
            sent[auth.custom_header] = auth.custom_value
        if "apiKey" in auth.modes:
            place = queried if auth.api_key_method == "query" else sent
            place[auth.api_key_name or _API_KEY_NAMES[auth.api_key_method]] = auth.api_key
    if odd := [name for name, value in sent.items() if not f"{name}{value}".isascii()]:
        raise ConfigError(f"header {odd[0]!r} or its value has signs that are not of ASCII")

    async def with_key(request: httpx.Request) -> None:
        request.url = request.url.copy_merge_params(queried)

    return httpx.AsyncClient(
        verify=client_context(
            ca=ca, cert=cert, key=key, key_password=key_password, unsafe=unsafe_ssl
        ),
        timeout=timeout or config.timeout,
        headers=sent,
        event_hooks={"request": [with_key] if queried else []},
        auth=credentials,
        mounts=_mounts(config.proxy),
        follow_redirects=True,
        max_redirects=10,
    )


def _mounts(proxy: str) -> dict[str, httpx.AsyncBaseTransport]:
    """The way to Services by their names; all else goes as it would."""
    names = (f"http://*.svc.{CLUSTER_DOMAIN}", "http://*.svc") if proxy else ()
    return {name: httpx.AsyncHTTPTransport(proxy=proxy) for name in names}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes
    place: str
    """Who answered, as it may be shown."""

    def json(self) -> Any:
        """Return the body's document. Raises ScalerError."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise ScalerError(f"{self.place} answered with what is no JSON") from None


async def answer(
    client: httpx.AsyncClient,
    url: str,
    *,
    method: str = "GET",
    params: Mapping[str, str] | None = None,
    json: object = None,
    content: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
    ok: Container[int] = _SUCCESS,
) -> Answer:
    """Return an answer whose status is one of ``ok``. Raises ScalerError, for no answer as well."""
    place, handshakes = _place(url), _Handshakes()
    try:
        whole = httpx.URL(url).copy_merge_params(params or {})
        asked = client.stream(
            method,
            whole,
            json=json,
            content=content,
            headers=headers,
            extensions={"trace": handshakes.trace},
        )
        with _told() as said:
            async with handshakes, asked as response:
                said.append(str(response.status_code))
                if response.status_code not in ok:
                    raise ScalerError(f"{place} answered with status {response.status_code}")
                body = await _body(response, place)
                return Answer(response.status_code, response.headers, body, place)
    except httpx.TimeoutException:
        raise ScalerError(f"{place} did not answer in time") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ScalerError(f"{place}: {_why(error)}") from None


@contextlib.contextmanager
def _told() -> Iterator[list[str]]:
    """Tell who listens how a request went; its status goes into the list."""
    said: list[str] = []
    began = time.perf_counter()
    try:
        yield said
    finally:
        LISTENER.get().requested(said[0] if said else "error", time.perf_counter() - began)


class _Handshakes:
    """Closes a connection whose TLS handshake was cut off: the client library forgets it."""

    def __init__(self) -> None:
        self._open: list[Any] = []

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Hear of each step of a request."""
        if event == "connection.start_tls.complete":
            self._open.clear()
        elif event == "connection.connect_tcp.complete":
            self._open.append(info["return_value"])

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for each in self._open:
                await each.aclose()


async def fetch(client: httpx.AsyncClient, url: str, **how: Any) -> bytes:
    """Return the body of an answer; arguments and errors are those of ``answer``."""
    return (await answer(client, url, **how)).body


async def get_json(client: httpx.AsyncClient, url: str, **how: Any) -> Any:
    """Return what an answer says as JSON; arguments and errors are those of ``answer``."""
    return (await answer(client, url, **how)).json()


async def _body(response: httpx.Response, place: str) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _LARGEST_ANSWER:
            raise ScalerError(f"{place} answered with more than {_LARGEST_ANSWER} bytes")
    return bytes(body)


def _place(url: str) -> str:
    """Host and path of a URL, without the rest."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the URL"
    return f"{parts.hostname or ''}{port}{parts.path}"


def _why(error: Exception) -> str:
    """An error's own words, but for those that name a whole URL."""
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return "this is no URL of http or https"
    return str(error) or type(error).__name__


def _credentials(auth: Authentication) -> httpx.Auth | None:
    if "basic" in auth.modes:
        return httpx.BasicAuth(auth.username, auth.password)
    return ClientCredentials(auth.token_source) if "oauth" in auth.modes else None


class ClientCredentials(httpx.Auth):
    """OAuth 2 for machines (RFC 6749, 4.4): a token is asked for, kept, and renewed at its end.

    The client shows its secret by basic authentication, or in the form where that is refused.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source, self._token, self._end = source, "", 0.0

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send the request with a token that is valid. Raises ScalerError where none is given."""
        if asyncio.get_running_loop().time() >= self._end:
            for asked in self._requests():
                answered = yield asked
                await answered.aread()
                if answered.is_success:
                    break
            self._take(answered)
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request

    async def token(self, client: httpx.AsyncClient) -> str:
        """Return a new token, for other protocols than HTTP. Raises ScalerError."""
        try:
            for asked in self._requests():
                answered = await client.send(asked)
                if answered.is_success:
                    break
        except httpx.HTTPError as error:
            raise ScalerError(f"{_place(self._source.uri)}: {_why(error)}") from None
        self._take(answered)
        return self._token

    def _requests(self) -> list[httpx.Request]:
        source, form = self._source, self._source.form
        known = (source.client_id, source.client_secret)
        basic = base64.b64encode(":".join(map(urllib.parse.quote_plus, known)).encode()).decode()
        shown = dict(zip(("client_id", "client_secret"), known, strict=True))
        headers = {"Authorization": f"Basic {basic}"}
        return [
            httpx.Request("POST", source.uri, data=form, headers=headers),
            httpx.Request("POST", source.uri, data={**form, **shown}),
        ]

    def _take(self, answered: httpx.Response) -> None:
        place = _place(self._source.uri)
        if not answered.is_success:
            raise ScalerError(f"{place} gave no token: status {answered.status_code}")
        try:
            said = answered.json()
            self._token, seconds = str(said["access_token"]), float(said.get("expires_in") or 3600)
        except (ValueError, KeyError, TypeError):
            raise ScalerError(f"{place} answered with what is no token") from None
        self._end = asyncio.get_running_loop().time() + seconds - _EARLY

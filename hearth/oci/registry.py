"""A registry of images, by the OCI distribution API 1.1: pull and push.

What goes wrong is an error of ``hearth.oci.errors`` in containerd's words, since people search
for them. Registries on loopback are spoken to without TLS, as docker does.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from hearth.oci.challenges import Challenge, parse_challenge
from hearth.oci.credentials import Login
from hearth.oci.errors import (
    CutOff,
    ManifestUnknown,
    RegistryError,
    Unauthorized,
    Unreachable,
)
from hearth.oci.manifests import INDEXES, MANIFESTS, Descriptor, digest_of
from hearth.oci.references import Reference

_MOST_MANIFEST = 4 << 20  # distribution specification: at least this much has to be taken
_MOST_TOKEN = 1 << 20
_TRIES = 4
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_NOT_AUTHORIZED = (
    "{} access denied, repository does not exist or may require authorization: "
    "server message: insufficient_scope: authorization failed"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A manifest as the registry has it."""

    content: bytes
    media_type: str
    digest: str


@dataclass(frozen=True, slots=True)
class Part:
    """A file from some byte on; ``told`` hears how much of the file was sent."""

    path: Path
    start: int
    told: Callable[[int], None]

    async def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            while chunk := await asyncio.to_thread(file.read, 1 << 20):
                yield chunk
                self.told(file.tell())


def client() -> httpx.AsyncClient:
    """A client for any number of registries; to be closed by who asked for it."""
    return httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=True)


def is_plain(host: str) -> bool:
    """Whether a registry is on loopback, and so spoken to without TLS."""
    name = host.rpartition(":")[0] or host
    if name == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ip_address(name.strip("[]")).is_loopback
    return False


@dataclass(slots=True)
class Repository:
    """One repository of a registry; logins are tried in order, and then none."""

    http: httpx.AsyncClient
    reference: Reference
    logins: Sequence[Login] = ()
    actions: str = "pull"
    retry_seconds: float = 0.2
    _authorization: str = field(default="", repr=False)

    # -- pull ------------------------------------------------------------------------------

    async def manifest(self, version: str) -> Answer:
        """The manifest or index of a tag or digest; a digest is checked."""
        headers = {"Accept": ", ".join((*MANIFESTS, *INDEXES))}
        async with self.ask("GET", f"manifests/{version}", headers=headers) as response:
            if response.status_code == 404:
                raise ManifestUnknown(f"{self.reference}: not found")
            await self.check(response)
            content = await _read(response, _MOST_MANIFEST)
        digest = digest_of(content)
        if version.startswith("sha256:") and digest != version:
            raise CutOff(f"unexpected digest {digest}, expected {version}: failed precondition")
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        return Answer(content, media_type, digest)

    async def digest(self, version: str) -> str:
        """What a tag stands for, by a question that downloads nothing (HEAD)."""
        headers = {"Accept": ", ".join((*MANIFESTS, *INDEXES))}
        async with self.ask("HEAD", f"manifests/{version}", headers=headers) as response:
            digest = response.headers.get("Docker-Content-Digest", "")
            if response.is_success and digest.startswith("sha256:"):
                return str(digest)
            if response.is_success or response.status_code == 405:
                return (await self.manifest(version)).digest
            # The words of go-containerregistry, which users of Knative search for.
            text = (
                f"HEAD {response.request.url}: unexpected status code {response.status_code} "
                f"{response.reason_phrase} (HEAD responses have no body, use GET for details)"
            )
            if response.status_code == 404:
                raise ManifestUnknown(text)
            raise (Unauthorized if response.status_code in (401, 403) else RegistryError)(text)

    async def blob(
        self, blob: Descriptor, path: Path, *, told: Callable[[int], None] = lambda _: None
    ) -> None:
        """A blob into a file; where it was cut before, what is missing. ``told`` hears of bytes.

        It is right when this returns: size and digest are checked.
        """
        for attempt in range(_TRIES):
            try:
                await self._fetch(blob, path, told)
                break
            except (CutOff, Unreachable):
                if attempt + 1 == _TRIES:
                    raise
                await asyncio.sleep(self.retry_seconds * 2**attempt)
        found = await asyncio.to_thread(_digest_of_file, path)
        if found != blob.digest:
            await asyncio.to_thread(path.unlink)
            text = f"unexpected commit digest {found}, expected {blob.digest}: failed precondition"
            raise CutOff(text)

    async def _fetch(self, blob: Descriptor, path: Path, told: Callable[[int], None]) -> None:
        with path.open("ab") as file:
            have = file.tell()
            if have >= blob.size:
                file.truncate(blob.size)
                return
            headers = {"Range": f"bytes={have}-"} if have else {}
            async with self.ask("GET", f"blobs/{blob.digest}", headers=headers) as response:
                if response.status_code == 404:
                    raise ManifestUnknown(f"{self.reference}: blob {blob.digest} not found")
                await self.check(response)
                if have and response.status_code != 206:
                    file.truncate(0)  # it sends all again
                    have = 0
                async for chunk in _chunks(response):
                    have += len(chunk)
                    if have > blob.size:
                        raise RegistryError(f"{self.reference}: {blob.digest} is larger than said")
                    file.write(chunk)
                    told(len(chunk))
            if have < blob.size:
                raise CutOff(f"{self.reference}: {blob.digest}: unexpected EOF")

    # -- push ------------------------------------------------------------------------------

    async def has_blob(self, digest: str) -> bool:
        """Whether the repository has a blob already."""
        async with self.ask("HEAD", f"blobs/{digest}") as response:
            return response.status_code == 200

    async def push_manifest(self, content: bytes, media_type: str, version: str) -> None:
        """A manifest under a tag or its digest; what it names has to be there."""
        headers = {"Content-Type": media_type}
        where = f"manifests/{version}"
        async with self.ask("PUT", where, headers=headers, content=content) as response:
            await self.check(response)

    # -- asking ----------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def ask(
        self,
        method: str,
        where: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | Part | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """One request; who we are is said where the registry wants to know, as far as we can."""
        response = await self._send(method, where, headers, content)
        challenge = parse_challenge(response.headers.get("WWW-Authenticate", ""))
        for login in (*self.logins, None):
            if challenge is None or response.status_code != 401:
                break
            authorization = await self._authorize(challenge, login)
            if authorization:
                await response.aclose()
                self._authorization = authorization
                response = await self._send(method, where, headers, content)
        try:
            yield response
        finally:
            await response.aclose()

    async def _send(
        self,
        method: str,
        where: str,
        headers: Mapping[str, str] | None,
        content: bytes | Part | None,
    ) -> httpx.Response:
        scheme = "http" if is_plain(self.reference.host) else "https"
        base = f"{scheme}://{self.reference.host}/v2/{self.reference.path}/"
        said = {**(headers or {})}
        url = urljoin(base, where)
        if self._authorization and httpx.URL(url).netloc == httpx.URL(base).netloc:
            said["Authorization"] = self._authorization
        body = content.chunks() if isinstance(content, Part) else content
        request = self.http.build_request(method, url, headers=said, content=body)
        with _told_apart(method, str(request.url)):
            return await self.http.send(request, stream=True)

    async def _authorize(self, challenge: Challenge, login: Login | None) -> str:
        """What to say as somebody, or as nobody; empty where that is nothing."""
        if challenge.scheme == "basic":
            return _basic(login) if login is not None else ""
        token = await self._token(challenge, login) if challenge.scheme == "bearer" else ""
        return f"Bearer {token}" if token else ""

    async def _token(self, challenge: Challenge, login: Login | None) -> str:
        """A token from the server that the registry names (distribution, "Token authentication").

        Empty where that server refuses the login.
        """
        realm = challenge.parameters.get("realm", "")
        scope = challenge.parameters.get("scope") or (
            f"repository:{self.reference.path}:{self.actions}"
        )
        asked = {"service": challenge.parameters.get("service", ""), "scope": scope}
        if not realm.startswith("https://") and not is_plain(httpx.URL(realm).netloc.decode()):
            raise Unauthorized(f"failed to authorize: token server {realm!r} is not asked")
        with _told_apart("GET", realm):
            if login is not None and not login.username:
                asked |= {"grant_type": "refresh_token", "refresh_token": login.password}
                request = self.http.build_request("POST", realm, data=asked)
            else:
                headers = {"Authorization": _basic(login)} if login is not None else {}
                request = self.http.build_request("GET", realm, params=asked, headers=headers)
            response = await self.http.send(request, stream=True)
        try:
            if response.status_code != 200:
                return ""
            return _token_of(await _read(response, _MOST_TOKEN))
        finally:
            await response.aclose()

    async def check(self, response: httpx.Response) -> None:
        """Raise what an answer that is no success means."""
        if response.is_success:
            return
        if response.status_code in (401, 403):
            raise Unauthorized(_NOT_AUTHORIZED.format(self.actions.rpartition(",")[2]))
        status = f"{response.status_code} {response.reason_phrase}"
        method, url = response.request.method, response.request.url
        raise RegistryError(f"unexpected status from {method} request to {url}: {status}")


def _basic(login: Login) -> str:
    pair = f"{login.username}:{login.password}".encode()
    return "Basic " + base64.b64encode(pair).decode()


def _token_of(content: bytes) -> str:
    import json

    with contextlib.suppress(ValueError, AttributeError):
        data: dict[str, Any] = json.loads(content)
        return str(data.get("token") or data.get("access_token") or "")
    return ""


@contextlib.contextmanager
def _told_apart(method: str, url: str) -> Any:
    """Errors of a connection as errors of ours."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise Unreachable(f'failed to do request: {method} "{url}": i/o timeout') from error
    except (httpx.RemoteProtocolError, httpx.ReadError) as error:
        raise CutOff(f'failed to do request: {method} "{url}": unexpected EOF') from error
    except (httpx.TransportError, httpx.InvalidURL) as error:
        host = httpx.URL(url).host
        raise Unreachable(
            f'failed to do request: {method} "{url}": {_reason(error, host)}'
        ) from error


def _reason(error: BaseException, host: str) -> str:
    """What Go would say, where we can tell."""
    seen: BaseException | None = error
    text = str(error)
    while seen is not None:
        text += f" {seen}"
        seen = seen.__cause__ or seen.__context__
    if "Name or service not known" in text or "name resolution" in text or "[Errno -" in text:
        return f"dial tcp: lookup {host}: no such host"
    if "Connect call failed" in text or "refused" in text or "All connection attempts" in text:
        return f"dial tcp {host}: connect: connection refused"
    if "WRONG_VERSION_NUMBER" in text or "record layer failure" in text:
        return "http: server gave HTTP response to HTTPS client"
    _, failed, why = str(error).partition("certificate verify failed: ")
    if failed:
        return f"tls: failed to verify certificate: {why.partition(' (_ssl')[0]}"
    return str(error) or type(error).__name__


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except httpx.HTTPError as error:
        raise CutOff(f"{response.request.url}: unexpected EOF") from error


async def _read(response: httpx.Response, most: int) -> bytes:
    content = bytearray()
    async for chunk in _chunks(response):
        content += chunk
        if len(content) > most:
            raise RegistryError(f"{response.request.url}: more than {most} bytes")
    return bytes(content)


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()

"""The keys that tokens are checked by: fetched once, and anew when a token names another one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from time import monotonic

from eventing.codec.binary import Header
from eventing.codec.http import value_of
from eventing.engines.seam import Refused
from eventing.runtime.access.discovery import FetchError, fetched
from eventing.runtime.access.tokens import BadToken, Issuer, UnknownKey, Verifier
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.errors import ApiError

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 10.0
"""After which keys are fetched anew, at the earliest, because a token names one we do not know."""


Trusted = Callable[[], str]
"""Returns authorities (PEM) to trust beside those of the system."""


def nobody() -> str:
    """Trust nobody else."""
    return ""


class Denied(Exception):
    """The producer may not; ``status`` is 401 or 403."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class TokenKeys:
    """Tells who shows a token, by the keys that the API server shows everybody with an account."""

    def __init__(
        self, client: KubeClient, *, clock: Clock = wall_clock, trusted: Trusted = nobody
    ) -> None:
        self._client = client
        self._trusted = trusted
        self._url = ""
        self._clock = clock
        self._verifier: Verifier | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._fetched_at = float("-inf")

    def ask_at(self, url: str) -> None:
        """Fetch keys of the issuer with this URL from now on; empty for the API server."""
        if url != self._url:
            self._url, self._verifier = url, None
            self._fetched_at = float("-inf")

    def subject(self, headers: Sequence[Header], audience: str) -> str:
        """Return who sends; raise Denied where nobody can be believed to, Refused while unknown."""
        scheme, _, token = value_of(headers, b"authorization").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Denied(401, "a token is needed to send events here: Authorization: Bearer TOKEN")
        if self._verifier is None:
            self.fetch()
            raise Refused("what tokens are checked by has not been fetched yet")
        try:
            return self._verifier.subject(token.strip(), audience, now=self._clock())
        except UnknownKey as error:
            if self.fetch():
                raise Refused("keys that tokens are checked by are being fetched") from error
            raise Denied(401, str(error)) from error
        except BadToken as error:
            raise Denied(401, str(error)) from error

    def fetch(self) -> bool:
        """Fetch the keys, unless that is under way or was done a moment ago: whether it is."""
        if self._fetching is not None:
            return True
        now = monotonic()
        if now - self._fetched_at < _AGAIN_SECONDS:
            return False
        self._fetched_at = now
        self._fetching = asyncio.create_task(self._fetch(), name="token-keys")
        return True

    async def _fetch(self) -> None:
        url = self._url
        try:
            if url:
                discovery, keys = await fetched(url, trusted=self._trusted())
            else:
                discovery = await self._client.request("GET", "/.well-known/openid-configuration")
                keys = await self._client.request("GET", "/openid/v1/jwks")
            found = Verifier(Issuer.of(discovery, keys))
            if url == self._url:
                self._verifier = found
        except (ApiError, FetchError, KeyError, TypeError, ValueError) as error:
            self._fetched_at = float("-inf")
            log.warning("keys of tokens cannot be fetched", extra={"error": str(error)})
        finally:
            self._fetching = None

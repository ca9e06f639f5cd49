"""Tokens that adapters show to sinks with an audience, while senders must say who they are."""

from __future__ import annotations

import asyncio
from pathlib import Path

from eventing.kinds.binding import TOKEN, TOKEN_FOLDER
from eventing.runtime.access.bearers import Bearers
from eventing.runtime.target import Bearer
from hearth.kube.access import TokenFile
from hearth.kube.client import KubeClient


def mounted_token(name: str = TOKEN) -> TokenFile | None:
    """Return the token that a SinkBinding, or control, has the kubelet mount, if it does."""
    path = Path(TOKEN_FOLDER, name)
    return TokenFile(path) if path.exists() else None


class NoToken(ValueError):
    """There is no token; the text says why."""


class Tokens:
    """Tokens of any service account, asked of the API server and kept while they are good."""

    def __init__(self, client: KubeClient) -> None:
        self._bearers = Bearers(client)

    async def get(self, bearer: Bearer) -> str:
        """Return a token; raise NoToken where there is none."""
        known = self._bearers.get(bearer)
        if known is not None:
            return known
        told: asyncio.Future[tuple[str | None, str]] = asyncio.get_running_loop().create_future()

        def then(token: str | None, problem: str) -> None:
            if not told.done():
                told.set_result((token, problem))

        self._bearers.fetch(bearer, then)
        token, problem = await told
        if token is None:
            raise NoToken(problem or "no token")
        return token

    async def close(self) -> None:
        """Ask no more."""
        await self._bearers.close()

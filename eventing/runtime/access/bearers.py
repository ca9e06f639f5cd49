"""Tokens that deliveries show: of a service account, for one audience, fetched before they end."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Callable, Mapping
from typing import Any

from eventing.runtime.target import Bearer
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.errors import ApiError
from hearth.kube.resources import SERVICEACCOUNTS

log = logging.getLogger(__name__)

TOKEN_SECONDS = 3600
SPARE_SECONDS = 300.0
"""A token is not shown in the last minutes of its life: clocks differ, and deliveries take time."""

Then = Callable[[str | None, str], None]
"""Called with a token, or with None and why there is none."""


class Bearers:
    """Fetches tokens and keeps them; one request for however many deliveries wait for it."""

    def __init__(self, client: KubeClient, *, clock: Clock = wall_clock) -> None:
        self._client = client
        self._clock = clock
        self._tokens: dict[Bearer, tuple[str, float]] = {}
        self._waiting: dict[Bearer, list[Then]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, bearer: Bearer) -> str | None:
        """Return a token that is good for a while, if there is one."""
        token, expires = self._tokens.get(bearer, ("", 0.0))
        return token if self._clock() < expires - SPARE_SECONDS else None

    def fetch(self, bearer: Bearer, then: Then) -> None:
        """Fetch a token; ``then`` is called later, never from here."""
        waiting = self._waiting.get(bearer)
        if waiting is not None:
            waiting.append(then)
            return
        self._waiting[bearer] = [then]
        task = asyncio.create_task(self._fetch(bearer), name="event-token")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, bearer: Bearer) -> None:
        token, problem = None, ""
        try:
            answer = await self._client.request(
                "POST",
                SERVICEACCOUNTS.path(bearer.namespace, bearer.account, "token"),
                body=_request(bearer.audience),
            )
            token = str(answer["status"]["token"])
            self._tokens[bearer] = token, _moment(answer["status"])
        except (ApiError, KeyError, ValueError) as error:
            problem = f"no token for {bearer.namespace}/{bearer.account}: {error}"
            log.warning("a token cannot be fetched", extra={"error": problem})
        finally:
            for then in self._waiting.pop(bearer, ()):
                then(token, problem)

    async def close(self) -> None:
        """Fetch no more; who waits is told that there is no token."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))


def _request(audience: str) -> Mapping[str, Any]:
    return {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": TOKEN_SECONDS},
    }


def _moment(status: Mapping[str, Any]) -> float:
    text = str(status["expirationTimestamp"]).replace("Z", "+00:00")
    return datetime.datetime.fromisoformat(text).timestamp()

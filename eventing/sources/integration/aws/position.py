"""How far a stream was read, kept in a ConfigMap for whoever reads it after us.

Control makes the ConfigMap, with a Role that lets the pod's account read and change this one alone
(``kinds.positions``). Where that is not so, the position is known to this process only.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, Forbidden, NotFound
from hearth.kube.meta import Key, key_text
from hearth.kube.resources import CONFIGMAPS

log = logging.getLogger(__name__)

FIELD = "position"
_PAUSE_SECONDS = 1.0
"""Between two writes: what a kill repeats at most."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far the shards of a stream were read."""

    stream: str = ""
    lasts: Mapping[str, str] = field(default_factory=dict)
    """By shard, the sequence number of the last record that is done with."""

    def lasts_of(self, stream: str) -> Mapping[str, str]:
        """Return how far the shards were read, if it is about this stream."""
        return self.lasts if stream == self.stream else {}

    def __str__(self) -> str:
        return json.dumps({"stream": self.stream, "shards": dict(self.lasts)}, sort_keys=True)

    @classmethod
    def read(cls, text: str) -> Position:
        """Read what was kept; nothing is known where that is no position."""
        try:
            found = json.loads(text)
            lasts = {str(shard): str(last) for shard, last in found["shards"].items()}
            return cls(str(found["stream"]), lasts)
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()


class KeptPosition:
    """Written once a second at most; ``flush`` writes what is left."""

    def __init__(
        self,
        client: KubeClient | None,
        where: Key,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """``where`` is the ConfigMap. Without a client nothing is kept."""
        self._client = client
        self._where = where
        self._clock = clock
        self._written = self._noted = Position()
        self._due = float("-inf")

    async def load(self) -> Position:
        """Return how far it was read before, as far as that can be known."""
        if self._client is None:
            return self._noted
        try:
            found = await self._client.get(CONFIGMAPS, self._where[1], self._where[0])
        except (Forbidden, NotFound) as error:
            self._give_up(error)
            return self._noted
        data: Mapping[str, Any] = found.get("data") or {}
        self._written = Position.read(data.get(FIELD, ""))
        return self._written

    async def note(self, position: Position) -> None:
        """Keep a position, at once or with a later one."""
        self._noted = position
        if self._clock() >= self._due:
            await self.flush()

    async def flush(self) -> None:
        """Write what was noted, unless it is written."""
        if self._client is None or str(self._noted) == str(self._written) or not self._noted.stream:
            return
        self._due = self._clock() + _PAUSE_SECONDS
        noted, (namespace, name) = self._noted, self._where
        try:
            change = {"data": {FIELD: str(noted)}}
            await self._client.patch(CONFIGMAPS, name, namespace, change)
        except (Forbidden, NotFound) as error:
            self._give_up(error)
        except ApiError as error:
            log.warning("the position is not kept yet", extra=self._facts | error.facts)
        else:
            self._written = noted

    def _give_up(self, error: ApiError) -> None:
        text = "the position cannot be kept: after a restart events come again"
        log.warning(text, extra=self._facts | error.facts)
        self._client = None

    @property
    def _facts(self) -> dict[str, Any]:
        return {"configmap": key_text(self._where)}


@contextlib.asynccontextmanager
async def keeping(kubeconfig: Path | None, where: Key) -> AsyncIterator[KeptPosition]:
    """What is noted within is written at the end."""
    async with contextlib.AsyncExitStack() as stack:
        client = None
        if kubeconfig is not None and all(where):
            client = await stack.enter_async_context(KubeClient.from_kubeconfig(kubeconfig))
        kept = KeptPosition(client, where)
        try:
            yield kept
        finally:
            await kept.flush()

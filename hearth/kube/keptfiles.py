"""Small files that renew themselves, such as keys and certificates: of this process, or shared.

What the files should be is a pure function of what they are; it says None where they are good.
Replicas share them in a Secret that the installation has made: whoever is first fills an empty one,
the one that leads renews it, and the API server's optimistic lock lets one win where two try.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.errors import AlreadyExists, ApiError, Conflict
from hearth.kube.guards import keep_running
from hearth.kube.leadership import Leadership
from hearth.kube.meta import Key, Object, key_text
from hearth.kube.resources import SECRETS
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

Files = dict[str, bytes]
Renew = Callable[[Files], Files | None]

_LOOK_SECONDS = 3600.0
"""How often is asked whether something is due: far more often than anything is renewed."""
_RETRY_SECONDS = 2.0


class KeptFiles(Protocol):
    """Files that are kept current while ``run`` runs."""

    def on_change(self, callback: Callable[[Files], None]) -> None:
        """Call back with the files as soon as there are any, and whenever they were renewed."""
        ...

    async def run(self) -> None:
        """Keep them current, until cancelled."""
        ...


class OwnFiles(KeptFiles):
    """Files that no other process needs: in memory, and for the next process in one file."""

    def __init__(self, renew: Renew, kept: Path | None = None) -> None:
        """``kept`` is where the next process finds them; None: it makes its own."""
        self._renew = renew
        self._kept = kept
        self._files = _read(kept)
        self._callbacks: list[Callable[[Files], None]] = []
        self._renew_due()

    def _renew_due(self) -> bool:
        fresh = self._renew(self._files)
        if fresh is None:
            return False
        self._files = fresh
        try:
            _write(self._kept, fresh)
        except OSError as error:  # these serve as well, and the next process makes others
            log.warning("files not kept", extra={"file": str(self._kept), "error": str(error)})
        return True

    def on_change(self, callback: Callable[[Files], None]) -> None:
        """Call back with the files, which are there from the start."""
        self._callbacks.append(callback)
        callback(self._files)

    async def run(self) -> None:
        """Look every now and then whether something is due."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._renew_due():
                for callback in self._callbacks:
                    callback(self._files)


def _read(kept: Path | None) -> Files:
    """Return what another process has kept; nothing where that cannot be read."""
    try:
        entries = json.loads(kept.read_text()) if kept is not None else {}
        return {str(name): base64.b64decode(value) for name, value in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(kept: Path | None, files: Files) -> None:
    """Keep all of them or none, for the owner alone to read."""
    if kept is None:
        return
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = kept.with_suffix(".new")
    entries = {name: base64.b64encode(content).decode() for name, content in files.items()}
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(entries, file)
    fresh.replace(kept)


class SharedFiles(KeptFiles):
    """Files that several processes share: the data of a Secret."""

    def __init__(
        self, client: KubeClient, secret: Key, renew: Renew, *, leadership: Leadership
    ) -> None:
        self._client = client
        self._secret = secret
        self._renew = renew
        self._leadership = leadership
        self._due = asyncio.Event()
        self._callbacks: list[Callable[[Files], None]] = []
        # Rights to one Secret by its name are enough for a watch that selects by it.
        self._cache = WatchCache(
            client, SECRETS, namespace=secret[0], field_selector=f"metadata.name={secret[1]}"
        )
        self._cache.on_change(self._changed)
        leadership.on_change(self._due.set)

    def on_change(self, callback: Callable[[Files], None]) -> None:
        """Call back with the files whenever any replica has made or renewed them."""
        self._callbacks.append(callback)

    async def run(self) -> None:
        """Follow the Secret; fill it, and renew what is due where we lead."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._cache.run(), name="watch-secret")
            await self._cache.synced()
            if self._cache.get(*self._secret) is None:
                log.error("secret missing, the installation makes it", extra=self._facts)
            group.create_task(keep_running("secret", self._keep), name="keep-secret")

    @property
    def _facts(self) -> dict[str, str]:
        return {"secret": key_text(self._secret)}

    def _files(self) -> Files:
        data = (self._cache.get(*self._secret) or {}).get("data") or {}
        return {name: base64.b64decode(value) for name, value in data.items()}

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._due.set()
        files = self._files()
        if files:
            for callback in self._callbacks:
                callback(files)

    async def _keep(self) -> None:
        while True:
            self._due.clear()
            await self._renew_due()
            await woken(self._due, _LOOK_SECONDS)

    async def _renew_due(self) -> None:
        secret, files = self._cache.get(*self._secret), self._files()
        if secret is None or (files and not self._leadership.leads(self._secret)):
            return
        fresh = self._renew(files)
        if fresh is None:
            return
        data = {name: base64.b64encode(content).decode() for name, content in fresh.items()}
        if await tried(lambda: self._client.update(SECRETS, {**secret, "data": data}), self._facts):
            log.info("secret renewed", extra=self._facts)


async def tried(write: Callable[[], Awaitable[object]], facts: dict[str, str]) -> bool:
    """Write until the API server takes it; False where another was first, whom a watch tells of."""
    while True:
        try:
            await write()
        except (AlreadyExists, Conflict):
            return False
        except ApiError as error:
            log.warning("not written yet", extra=facts | error.facts)
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return True


async def woken(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer than so."""
    try:
        async with time_limit(seconds):
            await event.wait()
    except TimeoutError:
        return

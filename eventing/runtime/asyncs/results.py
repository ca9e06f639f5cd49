"""Results on disk: a file each, written before its request counts as answered, gone at its end."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from eventing.runtime.asyncs.messages import Result
from eventing.runtime.asyncs.tickets import end_of
from eventing.runtime.files import write_durably
from hearth.kube.clock import Clock

_SWEEP_SECONDS = 60.0
_LAST_FAILURE = ".failed"
_KEY = "key"

Service = tuple[str, str]
"""Namespace and name."""


class Results:
    """All results, by Service and ticket. Methods that look at the disk may block."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self.sizes: Counter[Service] = Counter()
        """Bytes of each Service's results, about."""
        self._measure()

    def key(self) -> bytes:
        """Return the key of tickets, made with the first."""
        path = self._folder / _KEY
        if not path.is_file():
            write_durably(path, secrets.token_bytes(32))
        return path.read_bytes()

    def read(self, service: Service, ticket: str) -> Result | None:
        """Return a result; None while there is none."""
        try:
            return Result.read(self._path(service, ticket).read_bytes())
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def write(self, service: Service, ticket: str, result: Result) -> None:
        """Keep a result, in the place of a failure."""
        content = result.content()
        write_durably(self._path(service, ticket), content)
        self._failure(service, ticket).unlink(missing_ok=True)
        self.sizes[service] += len(content)

    def note_failure(self, service: Service, ticket: str, result: Result) -> None:
        """Keep the last answer of a request that is tried again."""
        path = self._failure(service, ticket)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(result.content())

    def failure(self, service: Service, ticket: str) -> Result | None:
        """Return the last answer of a request that has failed."""
        try:
            return Result.read(self._failure(service, ticket).read_bytes())
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def by_namespace(self) -> Mapping[str, int]:
        """Return what results take, by namespace."""
        found: Counter[str] = Counter()
        for (namespace, _), size in self.sizes.items():
            found[namespace] += size
        return found

    async def sweep(self) -> None:
        """Remove what has come to its end, again and again, until cancelled."""
        while True:
            await asyncio.to_thread(self.remove_ended)
            await asyncio.sleep(_SWEEP_SECONDS)

    def remove_ended(self) -> None:
        """Remove results whose time is over."""
        now = self._clock()
        for path in self._folder.glob("*/*/*"):
            ends = end_of(path.name.removesuffix(_LAST_FAILURE))
            if ends is not None and ends <= now:
                path.unlink(missing_ok=True)
        self._measure()

    def _measure(self) -> None:
        found: Counter[Service] = Counter()
        for path in self._folder.glob("*/*/*"):
            try:
                found[path.parent.parent.name, path.parent.name] += path.stat().st_size
            except FileNotFoundError:
                continue
        self.sizes = found

    def _path(self, service: Service, ticket: str) -> Path:
        """A ticket that was checked, so all parts are names."""
        return self._folder / service[0] / service[1] / ticket

    def _failure(self, service: Service, ticket: str) -> Path:
        path = self._path(service, ticket)
        return path.with_name(path.name + _LAST_FAILURE)

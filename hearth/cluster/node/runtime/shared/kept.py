"""Containers that were made ahead, until they are begun or dropped."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from hearth.cluster.node.volumes.mounts import Mount

Ready = TypeVar("Ready")


@dataclass(slots=True)
class _Kept(Generic[Ready]):
    ready: Ready
    key: str
    files: tuple[tuple[int, int], ...]


class Kept(Generic[Ready]):
    """By pod and container. A container is what its pod asks for if it was made of the same.

    ``key`` is what went into it but for the files that it has mounted: of those it is looked which
    they are, for the container holds on to the ones that were there.
    """

    def __init__(self, drop: Callable[[Ready], Awaitable[None]]) -> None:
        self._drop = drop
        self._kept: dict[tuple[str, str], _Kept[Ready]] = {}

    def put(
        self, uid: str, container: str, ready: Ready, *, key: str, mounts: Iterable[Mount]
    ) -> None:
        """Keeps one that was made a moment ago."""
        self._kept[uid, container] = _Kept(ready, key, _files(mounts))

    def fits(self, uid: str, container: str, *, key: str, mounts: Iterable[Mount]) -> bool:
        """Whether one is kept that is made of this."""
        kept = self._kept.get((uid, container))
        return kept is not None and (kept.key, kept.files) == (key, _files(mounts))

    async def take(
        self, uid: str, container: str, *, key: str, mounts: Iterable[Mount]
    ) -> Ready | None:
        """The one that is made of this; one that is made of something else is dropped."""
        fits = self.fits(uid, container, key=key, mounts=mounts)
        kept = self._kept.pop((uid, container), None)
        if kept is not None and not fits:
            await self._drop(kept.ready)
        return kept.ready if kept is not None and fits else None

    def hand_over(self, uid: str, to: str) -> None:
        """A pod has another uid from now on."""
        for of, container in [key for key in self._kept if key[0] == uid]:
            self._kept[to, container] = self._kept.pop((of, container))

    async def drop(self, uid: str | None = None) -> None:
        """Drops those of a pod, or all."""
        gone = [self._kept.pop(key) for key in list(self._kept) if uid in (None, key[0])]
        await asyncio.gather(*(self._drop(kept.ready) for kept in gone))


def _files(mounts: Iterable[Mount]) -> tuple[tuple[int, int], ...]:
    return tuple(map(_file, mounts))


def _file(mount: Mount) -> tuple[int, int]:
    try:
        found = os.stat(mount.source)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino

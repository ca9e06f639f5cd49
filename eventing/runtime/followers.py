"""What all who follow objects for the data plane need: when they have begun, and how they tell."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

from hearth.kube.errors import NotFound
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, name, namespace
from hearth.kube.plan import Patch, Plan
from hearth.kube.resources import Resource


class FirstList:
    """Whether all objects of the first list were dealt with, well or not."""

    def __init__(self) -> None:
        self._left: set[Key] | None = None
        """Those that nobody tried yet; None before that list."""
        self._tried = asyncio.Event()

    def came(self, keys: Iterable[Key]) -> None:
        """Note the first list."""
        self._left = set(keys)
        self._check()

    def tried(self, key: Key) -> None:
        """Note that somebody dealt with an object."""
        if self._left is not None:
            self._left.discard(key)
            self._check()

    def _check(self) -> None:
        if not self._left:
            self._tried.set()

    async def wait(self) -> None:
        """Wait until all were dealt with."""
        await self._tried.wait()


async def patch_status(
    manager: Manager, resource: Resource, obj: Object, status: dict[str, Any]
) -> None:
    """Change parts of an object's status, unless the object went while we looked."""
    change = Patch(resource, name(obj), namespace(obj), {"status": status}, subresource="status")
    with contextlib.suppress(NotFound):
        await manager.apply(Plan((change,)))

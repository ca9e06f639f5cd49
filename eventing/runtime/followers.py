"""What all who follow objects for the data plane need: when they have begun, and how they tell."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Any

from eventing.api import keys
from eventing.api.views import status_annotation
from hearth.kube.controllerspec import Source
from hearth.kube.errors import NotFound
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, key, key_text, name, namespace
from hearth.kube.plan import Patch, Plan
from hearth.kube.resources import CONFIGMAPS, Resource

log = logging.getLogger(__name__)

CONFIG_SOURCE = Source(CONFIGMAPS, namespace=keys.SYSTEM_NAMESPACE)
"""ConfigMaps that say what logs are to be like."""


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


async def cannot_open(manager: Manager, resource: Resource, obj: Object, error: Exception) -> None:
    """Say, in the log and in its status, why an object's log cannot be opened."""
    facts = {"of": f"{resource.kind} {key_text(key(obj))}", "error": str(error)}
    log.warning("a log cannot be opened", extra=facts)
    if status_annotation(obj, keys.PROBLEM_ANNOTATION) != str(error):
        marks = {"annotations": {keys.PROBLEM_ANNOTATION: str(error)}}
        await patch_status(manager, resource, obj, marks)

"""Waking what sleeps at zero: its scale is patched before anything else is done.

The path between a request that waits and a pod that starts: nothing here waits for a queue. What
is woken is a ``WakeTarget``; it need not be a Revision.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from hearth.kube.errors import ApiError, Retryable
from hearth.kube.meta import Key, key_text
from hearth.kube.plan import Patch, Plan

log = logging.getLogger(__name__)

QUIET_SECONDS = 2.0
"""After a wake-up nothing is written about it until a pod is ready, at most for this long: who
waits for the pod shall not wait for our status updates. A container on a node takes a second."""


class WakeTarget(Protocol):
    """What a key stands for, as far as waking it goes."""

    def ready_pods(self, key: Key) -> int:
        """Return how many of its pods take requests."""
        ...

    def scale_patch(self, key: Key) -> Patch | None:
        """Return the write that scales it as decided; None when it is scaled so already."""
        ...


class Wakeups:
    """``look`` has the target's controller look at a key, ``retry`` so with back-off."""

    def __init__(
        self,
        target: WakeTarget,
        *,
        apply: Callable[[Plan], Awaitable[None]],
        spawn: Callable[[str, Awaitable[None]], asyncio.Task[None]],
        look: Callable[[Key], None],
        retry: Callable[[Key], object],
    ) -> None:
        self._target = target
        self._apply = apply
        self._spawn = spawn
        self._look = look
        self._retry = retry
        self._waking: set[Key] = set()
        self._quiet_until: dict[Key, float] = {}

    def wake(self, key: Key) -> None:
        """Scale at once. The status follows when a pod is ready, or soon, whichever is first."""
        patch = self._target.scale_patch(key)
        if patch is None or key in self._waking:
            self._look(key)
            return
        self._quiet_until[key] = asyncio.get_running_loop().time() + QUIET_SECONDS
        self._waking.add(key)
        self._spawn("wake-up", self._scale(key, patch))

    def quiet_seconds(self, key: Key) -> float:
        """Return for how long the key is to be left alone; 0 when it is not waking up."""
        until = self._quiet_until.get(key)
        if until is None:
            return 0.0
        left = until - asyncio.get_running_loop().time()
        if left <= 0 or self._target.ready_pods(key):
            del self._quiet_until[key]
            return 0.0
        return left

    async def _scale(self, key: Key, patch: Patch) -> None:
        try:
            await self._apply(Plan((patch,)))
        except (ApiError, Retryable) as error:
            facts = {"knative.dev/key": key_text(key), "error": str(error)}
            log.warning("wake-up failed, trying again", extra=facts)
            self._retry(key)
        finally:
            self._waking.discard(key)

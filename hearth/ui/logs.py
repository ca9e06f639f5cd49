"""Logs of pods, followed as they wake: for one viewer, with a bound on what waits for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, rfc3339, wall_clock
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.resources import PODS
from hearth.timeouts import time_limit
from hearth.ui.rows import SERVICE_LABEL
from hearth.ui.streams import BEAT_SECONDS, PACE_SECONDS, STREAM_SECONDS, event

_MOST_WAITING = 2000
"""Lines that wait for a viewer; older ones are left out, and how many is told."""
_MOST_CHARACTERS = 4000
"""Of a line; what is behind them is cut."""
_MOST_PODS = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose logs: of a service, or of one pod."""

    namespace: str
    service: str = ""
    pod: str = ""
    container: str = ""
    tail: int = 200


class _Lines:
    """What has come and was not sent yet."""

    def __init__(self) -> None:
        self._waiting: deque[dict[str, str]] = deque(maxlen=_MOST_WAITING)
        self._missed = 0
        self.came = asyncio.Event()

    def add(self, pod: str, text: bytes) -> None:
        self._missed += len(self._waiting) == _MOST_WAITING
        line = text[:_MOST_CHARACTERS].decode(errors="replace")
        self._waiting.append({"pod": pod, "text": line})
        self.came.set()

    def take(self, event_id: str) -> bytes:
        told = {"lines": list(self._waiting), "missed": self._missed}
        self._waiting.clear()
        self._missed = 0
        self.came.clear()
        return event("lines", told, event_id)

    async def wait(self) -> bool:
        """Wait a while for something; whether something came."""
        with contextlib.suppress(TimeoutError):
            async with time_limit(BEAT_SECONDS):
                await self.came.wait()
        return self.came.is_set()


async def follow(
    client: KubeClient, asked: Asked, last_id: str = "", clock: Clock = wall_clock
) -> AsyncIterator[bytes]:
    """Tell what pods print, in server-sent events; ``end`` where nothing more can come.

    ``last_id`` is the time of what the viewer saw last: it is told what came since.
    """
    lines, loop = _Lines(), asyncio.get_running_loop()
    task = asyncio.create_task(_gather(client, asked, last_id, lines), name="page-logs")
    task.add_done_callback(lambda _: lines.came.set())
    ends_at = loop.time() + STREAM_SECONDS
    try:
        yield b"retry: 500\n\n"
        while loop.time() < ends_at:
            if await lines.wait():
                yield lines.take(rfc3339(clock()))
            else:
                yield b": nothing new\n\n"
            if task.done():
                yield event("end", {"words": _why(task)})
                return
            await asyncio.sleep(PACE_SECONDS)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _why(task: asyncio.Task[None]) -> str:
    error = task.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error.message if isinstance(error, ApiError) else "The pod's log has ended."


async def _gather(client: KubeClient, asked: Asked, since: str, lines: _Lines) -> None:
    if asked.pod:
        query = _query(asked, since) | ({"container": asked.container} if asked.container else {})
        async for line in client.logs(asked.pod, asked.namespace, query=query):
            lines.add(asked.pod, line)
        return
    selector = f"{SERVICE_LABEL}={asked.service}"
    cache = WatchCache(client, PODS, namespace=asked.namespace, label_selector=selector)
    followed: set[str] = set()
    async with asyncio.TaskGroup() as group:

        def changed(_old: Object | None, new: Object | None) -> None:
            is_new = new is not None and has_started(new) and meta.uid(new) not in followed
            if new is not None and is_new and len(followed) < _MOST_PODS:
                followed.add(meta.uid(new))
                group.create_task(_of_pod(client, new, _query(asked, since), lines))

        cache.on_change(changed)
        await cache.run()


def has_started(pod: Object) -> bool:
    """Whether a container of a pod has run."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any("waiting" not in (status.get("state") or {}) for status in statuses)


async def _of_pod(client: KubeClient, pod: Object, query: dict[str, str], lines: _Lines) -> None:
    name = meta.name(pod)
    query = query | {"container": pod["spec"]["containers"][0]["name"]}
    try:
        async for line in client.logs(name, meta.namespace(pod), query=query):
            lines.add(name, line)
    except ApiError as error:
        lines.add(name, f"(its log cannot be read: {error.message})".encode())


def _query(asked: Asked, since: str) -> dict[str, str]:
    begin = {"sinceTime": since} if since else {"tailLines": str(asked.tail)}
    return {"follow": "true", **begin}

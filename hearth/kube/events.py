"""Kubernetes Events, written in the background: they never delay what they tell of."""

from __future__ import annotations

import asyncio
import itertools
import logging

from hearth.kube import clock
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound, is_terminating
from hearth.kube.meta import Object, name, namespace, uid
from hearth.kube.plan import Event
from hearth.kube.resources import EVENTS

log = logging.getLogger(__name__)

DELAY_SECONDS = 0.1
"""What came of the same change is written before its Events, and Events are written together."""
MAX_WAITING = 10_000
MAX_MESSAGE = 1024
"""Letters of a message (core/v1 validation)."""

_serial = itertools.count(1)


class EventRecorder:
    """``record`` returns at once; ``run`` writes."""

    def __init__(self, client: KubeClient, *, delay_seconds: float = DELAY_SECONDS) -> None:
        self._client = client
        self._delay_seconds = delay_seconds
        self._waiting: asyncio.Queue[tuple[Event, str]] = asyncio.Queue(MAX_WAITING)

    def record(self, event: Event, component: str) -> None:
        """Take an Event; past the limit it is dropped, being worth less than the memory."""
        try:
            self._waiting.put_nowait((event, component))
        except asyncio.QueueFull:
            log.debug("event dropped", extra={"reason": event.reason})

    async def run(self) -> None:
        """Write what gathers, until cancelled."""
        while True:
            gathered = [await self._waiting.get()]
            await asyncio.sleep(self._delay_seconds)
            while not self._waiting.empty():
                gathered.append(self._waiting.get_nowait())
            for event, component in gathered:
                await self._write(event, component)

    async def _write(self, event: Event, component: str) -> None:
        try:
            await self._client.create(EVENTS, make_event(event, component, now=clock.wall_clock()))
        except NotFound:
            return  # the namespace went away together with the object
        except ApiError as error:
            if is_terminating(error):
                return
            log.warning("event not recorded", extra={"error": error.message})


def make_event(event: Event, component: str, *, now: float) -> Object:
    """Make the object. Its name is unique in time and process; old ones expire by themselves."""
    about = event.obj
    moment = clock.rfc3339(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{name(about)}.{int(now * 1e9) + next(_serial):x}",
            "namespace": namespace(about) or "default",
        },
        "involvedObject": {
            "apiVersion": about.get("apiVersion", ""),
            "kind": about.get("kind", ""),
            "name": name(about),
            "namespace": namespace(about),
            "uid": uid(about),
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:MAX_MESSAGE],
        "source": {"component": component},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }

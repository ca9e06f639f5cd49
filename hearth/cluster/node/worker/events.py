"""Events about pods, written in the background so that they never delay a start.

Equal events are counted up on one object, as kubelet does; a flood is cut off.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field

from hearth.kube import clock as clocks
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock
from hearth.kube.errors import ApiError
from hearth.kube.events import make_event
from hearth.kube.meta import Object
from hearth.kube.plan import Event
from hearth.kube.resources import EVENTS

log = logging.getLogger(__name__)

_DELAY_SECONDS = 0.2
_MAX_WAITING = 2000
_MAX_KNOWN = 2000


@dataclass(slots=True)
class _Entry:
    """One Event object; ``is_written`` tells whether it exists in the API yet."""

    body: Object
    is_written: bool = False
    is_queued: bool = False


@dataclass(slots=True)
class EventRecorder:
    """``record`` returns at once; ``run`` writes."""

    client: KubeClient
    clock: Clock
    node_name: str
    _known: OrderedDict[tuple[str, ...], _Entry] = field(default_factory=OrderedDict)
    _waiting: asyncio.Queue[_Entry] = field(default_factory=lambda: asyncio.Queue(_MAX_WAITING))

    def record(
        self,
        pod: Object,
        kind: str,
        reason: str,
        *,
        message: str,
        container: str = "",
        component: str = "kubelet",
    ) -> None:
        """Notes an event; ``kind`` is Normal or Warning."""
        key = (meta.uid(pod), kind, reason, message, container)
        entry = self._known.get(key)
        moment = clocks.rfc3339(self.clock())
        if entry is None:
            entry = self._known[key] = _Entry(
                self._body(
                    pod, kind, reason, message=message, container=container, component=component
                )
            )
            if len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)
        else:
            entry.body["count"] += 1
        entry.body["lastTimestamp"] = moment
        if not entry.is_queued and not self._waiting.full():
            entry.is_queued = True
            self._waiting.put_nowait(entry)

    async def run(self) -> None:
        """Writes until cancelled. Waits a moment first: what matters to requests goes ahead."""
        while True:
            entry = await self._waiting.get()
            await asyncio.sleep(_DELAY_SECONDS)
            await self._write(entry)
            while not self._waiting.empty():
                await self._write(self._waiting.get_nowait())

    async def _write(self, entry: _Entry) -> None:
        entry.is_queued = False
        name, namespace = meta.name(entry.body), meta.namespace(entry.body)
        try:
            if entry.is_written:
                fields = {k: entry.body[k] for k in ("count", "lastTimestamp")}
                await self.client.patch(EVENTS, name, namespace, fields)
            else:
                await self.client.create(EVENTS, entry.body)
                entry.is_written = True
        except ApiError as error:  # an event is worth no retry: its pod or namespace may be gone
            log.debug("event not written", extra={"event": name, "error": error.message})

    def _body(
        self, pod: Object, kind: str, reason: str, *, message: str, container: str, component: str
    ) -> Object:
        event = Event({**pod, "apiVersion": "v1", "kind": "Pod"}, kind, reason, message)
        body = make_event(event, component, now=self.clock())
        if container:
            body["involvedObject"]["fieldPath"] = f"spec.containers{{{container}}}"
        body["source"]["host"] = self.node_name
        return {**body, "reportingComponent": component, "reportingInstance": self.node_name}

"""CloudEventSources: what happens to scaled objects, told to a URL as CloudEvents.

Each source has a queue and a task of its own, so one that does not answer delays nobody. What
events say, and how often they are tried, is KEDA's (``pkg/eventemitter``); a source that failed is
active again with the first event that gets through, where KEDA waits until somebody changes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import orjson

from hearth.keda.api import keys
from hearth.keda.api.keys import ConditionMessage, ConditionReason, EventReason
from hearth.keda.operator.metrics import EVENTS_EMITTED, EVENTS_QUEUED, count_resource
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, rfc3339
from hearth.kube.errors import ApiError
from hearth.kube.guards import keep_running
from hearth.kube.meta import Key, Object, is_deleting, name, namespace
from hearth.kube.plan import Event
from hearth.kube.resources import Resource
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

CLUSTER_NAME = "kubernetes-default"
"""In the events' source where neither an object nor a setting says how the cluster is called."""
_NOWHERE = "destination.azureEventGridTopic is not served here: give destination.http.uri"
_MOST_QUEUED = 1024
_TRIES = 5
_LONGEST_PAUSE = 8.0

_TYPES: Mapping[str, str] = {
    EventReason.SCALED_OBJECT_READY: "scaledobject.ready",
    EventReason.SCALED_OBJECT_CHECK_FAILED: "scaledobject.failed",
    EventReason.SCALED_OBJECT_UPDATE_FAILED: "scaledobject.failed",
    EventReason.SCALED_OBJECT_DELETED: "scaledobject.removed",
    EventReason.SCALED_OBJECT_PAUSED: "scaledobject.paused",
    EventReason.SCALED_OBJECT_UNPAUSED: "scaledobject.unpaused",
    EventReason.SCALED_JOB_READY: "scaledjob.ready",
    EventReason.SCALED_JOB_CHECK_FAILED: "scaledjob.failed",
    EventReason.SCALED_JOB_UPDATE_FAILED: "scaledjob.failed",
    EventReason.SCALED_JOB_DELETED: "scaledjob.removed",
    EventReason.SCALED_JOB_PAUSED: "scaledjob.paused",
    EventReason.SCALED_JOB_UNPAUSED: "scaledjob.unpaused",
    EventReason.SCALED_JOB_ROLLOUT_CLEANUP_STARTED: "scaledjob.rolloutcleanup.started",
    EventReason.SCALED_JOB_ROLLOUT_CLEANUP_COMPLETED: "scaledjob.rolloutcleanup.completed",
    EventReason.SCALED_JOB_ROLLOUT_CLEANUP_FAILED: "scaledjob.rolloutcleanup.failed",
}
"""What is told, by the reason of the Event that says it."""
_OF_AUTHENTICATIONS: Mapping[str, str] = {
    EventReason.TRIGGER_AUTHENTICATION_ADDED: "created",
    EventReason.CLUSTER_TRIGGER_AUTHENTICATION_ADDED: "created",
    EventReason.TRIGGER_AUTHENTICATION_UPDATED: "updated",
    EventReason.TRIGGER_AUTHENTICATION_DELETED: "removed",
    EventReason.CLUSTER_TRIGGER_AUTHENTICATION_DELETED: "removed",
}
"""The same of authentications; whose kind it is does not always show in the reason."""


def type_of(event: Event) -> str:
    """Return the type of the CloudEvent that tells of an Event; empty where none does."""
    what = _TYPES.get(event.reason)
    if change := _OF_AUTHENTICATIONS.get(event.reason):
        what = f"authentication.{str(event.obj['kind']).lower()}.{change}"
    return f"keda.{what}.v1" if what else ""


def wants(source: Object, event: Event, event_type: str) -> bool:
    """Whether a source asks for an event: by namespace, then by type; included goes first."""
    if namespace(source) not in ("", namespace(event.obj)):
        return False
    asked = source["spec"].get("eventSubscription") or {}
    if included := asked.get("includedEventTypes"):
        return event_type in included
    return event_type not in (asked.get("excludedEventTypes") or ())


def message_of(
    source: Object, event: Event, event_type: str, *, event_id: str, now: float
) -> tuple[dict[str, str], bytes]:
    """Make header fields and content of an event in binary mode (CloudEvents, HTTP binding 3.1)."""
    cluster = source["spec"].get("clusterName") or CLUSTER_NAME
    kind = str(event.obj["kind"]).lower()
    fields = {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-source": f"/{cluster}/{keys.NAMESPACE}/keda",
        "ce-subject": f"/{cluster}/{namespace(event.obj)}/{kind}/{name(event.obj)}",
        "ce-type": event_type,
        "ce-time": rfc3339(now),
        "content-type": "application/json",
    }
    return fields, orjson.dumps({"reason": event.reason, "message": event.message})


@dataclass(slots=True)
class _Destination:
    """One source that is followed."""

    resource: Resource
    source: Object
    queue: asyncio.Queue[Event] = field(default_factory=lambda: asyncio.Queue(_MOST_QUEUED))
    task: asyncio.Task[None] | None = None

    @property
    def labels(self) -> tuple[str, str, str]:
        return namespace(self.source), name(self.source), "http"


class Emitter:
    """Tells sources what is recorded. ``run`` goes on until it is cancelled."""

    def __init__(
        self, client: KubeClient, clock: Clock, *, timeout: float = 3.0, first_pause: float = 0.5
    ) -> None:
        """``timeout`` is in seconds, for each attempt; pauses between them double."""
        self._client = client
        self._clock = clock
        self._timeout = timeout
        self._first_pause = first_pause
        self._http = httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False)
        self._followed: dict[tuple[str, Key], _Destination] = {}

    def record(self, event: Event) -> None:
        """Queue an event for all that want it. No I/O."""
        event_type = type_of(event)
        for each in self._followed.values() if event_type else ():
            if wants(each.source, event, event_type):
                self._queue(each, event)

    def _queue(self, destination: _Destination, event: Event) -> None:
        try:
            destination.queue.put_nowait(event)
        except asyncio.QueueFull:
            EVENTS_EMITTED.labels(*destination.labels, "failed").inc()
            log.warning("an event is not told: too many wait", extra=_facts(destination.source))
        EVENTS_QUEUED.labels(namespace(destination.source)).set(destination.queue.qsize())

    async def run(self) -> None:
        """Follow the sources, and tell them."""
        caches = []
        for resource in (keys.CLOUDEVENTSOURCES, keys.CLUSTERCLOUDEVENTSOURCES):
            cache = WatchCache(self._client, resource)
            cache.on_change(partial(self._changed, resource))
            caches.append(cache)
        try:
            async with asyncio.TaskGroup() as group:
                for cache in caches:
                    group.create_task(cache.run(), name="watch-cloudeventsources")
        finally:
            for key in list(self._followed):
                await self._forget(key)
            await self._http.aclose()

    def _changed(self, resource: Resource, old: Object | None, new: Object | None) -> None:
        known = new or old or {}
        key = resource.kind, (namespace(known), name(known))
        followed = self._followed.get(key)
        if new is None or is_deleting(new):
            if followed is not None and followed.task is not None:
                followed.task.cancel()
                del self._followed[key]
                count_resource(resource.kind, key[1][0], -1)
        elif followed is not None:
            followed.source = new
        else:
            followed = self._followed[key] = _Destination(resource, new)
            count_resource(resource.kind, key[1][0])
            telling = keep_running("cloudeventsource", lambda: self._tell(followed))
            followed.task = asyncio.create_task(telling, name="cloudeventsource")

    async def _forget(self, key: tuple[str, Key]) -> None:
        count_resource(key[0], key[1][0], -1)
        task = self._followed.pop(key).task
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _tell(self, destination: _Destination) -> None:
        await self._said(destination, is_active=_url(destination.source) != "")
        while True:
            event = await destination.queue.get()
            EVENTS_QUEUED.labels(namespace(destination.source)).set(destination.queue.qsize())
            sent = await self._sent(destination, event)
            result = "emitted" if sent else "failed"
            EVENTS_EMITTED.labels(*destination.labels, result).inc()
            await self._said(destination, is_active=sent)

    async def _sent(self, destination: _Destination, event: Event) -> bool:
        """Try as often as KEDA does; the same id each time."""
        event_id, pause = str(uuid.uuid4()), self._first_pause
        for left in reversed(range(_TRIES)):
            url = _url(destination.source)
            fields, content = message_of(
                destination.source, event, type_of(event), event_id=event_id, now=self._clock()
            )
            why = _NOWHERE
            if url:
                why = await self._posted(url, fields, content)
            if not why:
                return True
            if left and url:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        log.warning("an event is not told", extra=_facts(destination.source) | {"error": why})
        return False

    async def _posted(self, url: str, fields: dict[str, str], content: bytes) -> str:
        """Why it was not taken; empty where it was."""
        try:
            async with (
                time_limit(self._timeout),
                self._http.stream("POST", url, headers=fields, content=content) as got,
            ):
                return "" if got.is_success else f"answered {got.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return type(error).__name__

    async def _said(self, destination: _Destination, *, is_active: bool) -> None:
        """Say in the status whether events get through, where it is news."""
        source = destination.source
        active: dict[str, Any] = {"type": "Active", "status": "True" if is_active else "False"}
        if is_active:
            active["reason"] = str(ConditionReason.CLOUD_EVENT_SOURCE_ACTIVE)
            active["message"] = str(ConditionMessage.CLOUD_EVENT_SOURCE_ACTIVE)
        else:
            active["reason"] = str(ConditionReason.CLOUD_EVENT_SOURCE_FAILED)
            text = str(ConditionMessage.CLOUD_EVENT_SOURCE_FAILED)
            active["message"] = text if _url(source) else f"{text}: {_NOWHERE}"
        if (source.get("status") or {}).get("conditions") == [active]:
            return
        where = namespace(source) or None
        change = {"status": {"conditions": [active]}}
        with contextlib.suppress(ApiError):  # the next event says it again
            destination.source = await self._client.patch(
                destination.resource, name(source), where, change, subresource="status"
            )


def _url(source: Object) -> str:
    """Where events go; empty where they go to what is not served here."""
    destination = source["spec"].get("destination") or {}
    return str((destination.get("http") or {}).get("uri") or "")


def _facts(source: Object) -> dict[str, str]:
    return {"source": f"{namespace(source)}/{name(source)}".lstrip("/")}

"""Work by the clock: compaction of the revision log and of objects in memory, and old Events."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

from hearth.cluster.model.objects import Entry
from hearth.cluster.operations.api import Api
from hearth.cluster.store.store import StaleWrite, Store, StoreError
from hearth.kube.clock import parse_rfc3339
from hearth.kube.guards import caught
from hearth.likeness import Likeness

log = logging.getLogger(__name__)
_EVERY_SECONDS = 60.0
_BATCH = 50
_PACK_SECONDS, _PACK_PAUSE_SECONDS = 5.0, 0.01
_EVENTS = "events"


async def compact_regularly(api: Api, *, keep_seconds: float) -> None:
    """Forgets replaced revisions older than ``keep_seconds``, until cancelled."""
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        try:
            gone = await api.store.compact(api.clock() - keep_seconds)
        except StoreError as error:
            log.warning("compaction failed", extra={"error": str(error)})
        else:
            log.debug("compacted", extra={"revisions": gone, "oldest": api.store.oldest})


async def pack_regularly(store: Store) -> None:
    """Compresses in memory what was not written for some seconds, until cancelled."""
    alike = defaultdict[str, Likeness](Likeness)
    while True:
        await asyncio.sleep(_PACK_SECONDS)
        for index, entry in enumerate(store.settled_entries()):
            entry.pack(alike[entry.key.resource])
            if index % _BATCH == _BATCH - 1:  # some milliseconds
                await asyncio.sleep(_PACK_PAUSE_SECONDS)


def is_expired(entry: Entry, now: float, lifetime: float) -> bool:
    """Whether an Event has not been written for its lifetime. Pure."""
    obj = entry.parse()
    series = obj.get("series") or {}
    moments = [
        obj.get("lastTimestamp"),
        obj.get("eventTime"),
        series.get("lastObservedTime"),
        obj["metadata"].get("creationTimestamp"),
    ]
    seen = [parse_rfc3339(moment) for moment in moments if moment]
    return bool(seen) and now - max(seen) > lifetime


async def expire_events(api: Api, *, lifetime_seconds: float) -> None:
    """Deletes Events an hour after they were last written, until cancelled."""
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        for index, entry in enumerate(api.store.state.entries(_EVENTS)):
            if index % _BATCH == _BATCH - 1:
                await asyncio.sleep(0)
            try:
                if is_expired(entry, api.clock(), lifetime_seconds):
                    await api.store.delete(entry.key, entry.parse(), expected=entry.revision)
            except (StaleWrite, StoreError) as error:
                log.debug("event stays", extra={"key": entry.key.text, "error": str(error)})
            except Exception:
                caught("event-expiry", (entry.key.namespace, entry.key.name))

"""Keeps the tables current while somebody looks: watches of the API, readings of neighbours.

A kind that is not served here is left out. Readings are never closer together than thirty times
what one takes, so that many revisions make them rarer and not dearer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, Forbidden, NotFound
from hearth.kube.guards import caught
from hearth.kube.meta import Object
from hearth.kube.resources import PODS, Resource, resources_of
from hearth.timeouts import time_limit
from hearth.ui import rows
from hearth.ui.eventrows import graph_rows, letter_rows
from hearth.ui.neighbours import CannotAsk, Json, Neighbours
from hearth.ui.rates import Meter
from hearth.ui.tables import Row, Tables

log = logging.getLogger(__name__)

DECLARED = "declared"
"""Not shown: nodes of the event graph that objects are, before what flows is laid over them."""
_GROUPS: dict[str, dict[str, tuple[str, Callable[[Object], Row]]]] = {
    "serving.knative.dev": {
        "services": ("services", rows.service_row),
        "revisions": ("revisions", rows.revision_row),
    },
    "eventing.knative.dev": {
        "brokers": (DECLARED, rows.node_row),
        "triggers": (DECLARED, rows.node_row),
    },
    "messaging.knative.dev": {
        "channels": (DECLARED, rows.node_row),
        "subscriptions": (DECLARED, rows.node_row),
    },
    "sources.knative.dev": {"*": ("sources", rows.object_row)},
    "sources.hearth.dev": {"*": ("sources", rows.object_row)},
    "keda.sh": {
        "scaledobjects": ("scaled", rows.scaled_row),
        "scaledjobs": ("scaled", rows.scaled_row),
    },
    "pipelines.hearth.dev": {"pipelineruns": ("runs", rows.run_row)},
}
_RATES_SECONDS, _EVENTS_SECONDS, _FLOWS_SECONDS = 1.0, 2.0, 20.0
_PATIENCE = 30
_AGAIN_SECONDS, _LISTED_SECONDS = 1.0, 2.0
_LONG, _RECENT = "10m", "10s"
_MOST_LETTERS = 200


@dataclass(frozen=True, slots=True)
class _Kind:
    resource: Resource
    table: str
    row: Callable[[Object], Row]
    selector: str | None = None


class Watching:
    """One time of looking, from the first viewer to the last."""

    def __init__(self, client: KubeClient, neighbours: Neighbours, tables: Tables) -> None:
        self._client = client
        self._neighbours = neighbours
        self._tables = tables
        self._meter = Meter()
        self._caches: list[WatchCache] = []
        self._began = asyncio.Event()
        self._flows: Json = {}
        self._recent: Json = {}

    async def run(self) -> None:
        """Keep the tables current until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind in await self._kinds():
                cache = self._cache(kind)
                self._caches.append(cache)
                group.create_task(cache.run(), name=f"page-{kind.resource.plural}")
            self._began.set()
            group.create_task(self._again("rates", self._read_rates, _RATES_SECONDS))
            with suppress(TimeoutError):
                async with time_limit(_LISTED_SECONDS):  # whom to ask about events is in the lists
                    await self.synced()
            group.create_task(self._again("flows", self._read_flows, _FLOWS_SECONDS))
            group.create_task(self._again("events", self._read_recent, _EVENTS_SECONDS))
            group.create_task(self._again("letters", self._read_letters, _EVENTS_SECONDS))

    async def synced(self) -> None:
        """Wait until everything has been listed."""
        await self._began.wait()
        for cache in self._caches:
            await cache.synced()

    # -- objects -----------------------------------------------------------------------------------

    async def _kinds(self) -> list[_Kind]:
        """Return what is watched; while the API gives no answer, say so and ask again."""
        while True:
            try:
                served = await asyncio.gather(*map(self._served, _GROUPS))
            except ApiError as error:
                self._tables.put("notes", "api", {"words": f"Nothing is known: {error.message}"})
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            self._tables.drop("notes", "api")
            pods = _Kind(PODS, "pods", rows.pod_row, rows.SERVICE_LABEL)
            return [pods, *(each for kinds in served for each in kinds)]

    async def _served(self, group: str) -> list[_Kind]:
        """Return the kinds of a group that are served here and shown, in the group's own order."""
        try:
            told = await self._client.request("GET", f"/apis/{group}")
            paths = [f"/apis/{each['groupVersion']}" for each in told["versions"]]
            lists = [await self._client.request("GET", path) for path in paths]
        except (NotFound, Forbidden):
            return []
        kinds: dict[str, _Kind] = {}
        for resource in (each for served in lists for each in resources_of(served, verb="watch")):
            shown = _GROUPS[group].get(resource.plural) or _GROUPS[group].get("*")
            if shown is not None:
                kinds.setdefault(resource.plural, _Kind(resource, *shown))
        return list(kinds.values())

    def _cache(self, kind: _Kind) -> WatchCache:
        cache = WatchCache(
            self._client,
            kind.resource,
            label_selector=kind.selector,
            keep=partial(_kept, kind),
        )
        cache.on_change(partial(self._changed, kind.table))
        return cache

    def _changed(self, table: str, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._tables.put(table, new["key"], new["row"])
        elif old is not None:
            self._tables.drop(table, old["key"])

    # -- readings ----------------------------------------------------------------------------------

    async def _again(self, name: str, read: Callable[[], Awaitable[None]], least: float) -> None:
        while True:
            began = time.monotonic()
            try:
                await read()
            except CannotAsk as error:
                self._tables.put("notes", name, {"words": str(error)})
            except Exception:
                caught("page")
                self._tables.put("notes", name, {"words": f"{name} cannot be read: see the log"})
            else:
                self._tables.drop("notes", name)
            took = time.monotonic() - began
            await asyncio.sleep(max(least, took * _PATIENCE) - took)

    async def _read_rates(self) -> None:
        self._note_failures()
        readings = await self._neighbours.readings()
        # In a thread: a thousand busy revisions take a third of a second to read.
        found = await asyncio.to_thread(self._meter.rows, readings, time.monotonic())
        self._tables.replace("rates", found)

    def _note_failures(self) -> None:
        for cache in self._caches:
            name, failure = cache.resource.plural, cache.failure
            if failure is None:
                self._tables.drop("notes", name)
            else:
                words = f"{name} cannot be read: {failure.message}"
                self._tables.put("notes", name, {"words": words})

    async def _read_recent(self) -> None:
        self._recent = await self._graph(_RECENT)
        self._show_graph()

    async def _read_flows(self) -> None:
        self._flows = await self._graph(_LONG)

    async def _graph(self, since: str) -> Json:
        """Return what flowed since; without a broker or channel there is nobody to ask."""
        return await self._asked(f"/graph?since={since}") if self._has_places() else {}

    async def _read_letters(self) -> None:
        told = await self._asked(f"/failures?limit={_MOST_LETTERS}") if self._has_places() else {}
        self._tables.replace("letters", letter_rows(told.get("failures") or []))

    async def _asked(self, target: str) -> Json:
        return await self._neighbours.broker("GET", target)

    def _has_places(self) -> bool:
        kinds = {row["kind"] for row in self._tables.rows(DECLARED).values()}
        return not kinds.isdisjoint(("broker", "channel"))

    def _show_graph(self) -> None:
        declared = self._tables.rows(DECLARED)
        nodes, edges = graph_rows(declared, self._flows, self._recent)
        self._tables.replace("nodes", nodes)
        self._tables.replace("edges", edges)


def _kept(kind: _Kind, obj: Object) -> Object:
    """What of an object is worth its memory: its row, and by which name it is told of."""
    obj = {"kind": kind.resource.kind, **obj}  # items of a list need not say it
    row = kind.row(obj)
    key = rows.key_of(obj)
    if kind.table == DECLARED:
        key = str(row["id"])
    elif "kind" in row:
        key = f"{row['kind']} {key}"
    metadata = {
        field: meta.metadata(obj)[field]
        for field in ("name", "namespace", "resourceVersion")
        if field in meta.metadata(obj)
    }
    return {"metadata": metadata, "key": key, "row": row}


def shown(tables: Tables) -> Iterator[tuple[str, dict[str, Row]]]:
    """Return the tables that viewers see."""
    return ((name, rows) for name, rows in tables.all().items() if name != DECLARED)

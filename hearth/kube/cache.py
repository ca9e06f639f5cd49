"""A watch cache: the current objects of one source, kept by list and watch.

What client-go calls an informer. Readers get shared objects that they must not change. Callbacks
run on the loop right after the store changed and must be quick: they put keys on a queue.

What nobody has read for some seconds is folded: JSON compressed against another object of its
kind, a fiftieth of the object's size. The next reader has it parsed again. ``hearth.lulls`` asks
for it.

Nothing one object brings with it ends a cache. An object that cannot be read is skipped, one that
an index function fails on is left out of that index, and a callback that failed is called again
with back-off, with the object as it knew it last and as it is by then.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

import orjson

from hearth.kube.client import KubeClient, WatchEvent
from hearth.kube.controllerspec import IndexFunction, Source
from hearth.kube.errors import ApiError, Forbidden, Gone
from hearth.kube.guards import caught
from hearth.kube.meta import (
    Key,
    Object,
    key,
    labels,
    metadata,
    namespace,
    resource_version,
    shared,
    uid,
    version_number,
)
from hearth.kube.multimap import Multimap
from hearth.kube.queue import backoff
from hearth.kube.resources import Resource
from hearth.kube.selectors import EVERYTHING, parse_label_selector
from hearth.likeness import Likeness
from hearth.lulls import on_look

log = logging.getLogger(__name__)

Change = Callable[[Object | None, Object | None], None]
"""Called with the object before and after: (None, new), (old, new) or (old, None)."""
Keep = Callable[[Object], Object]
"""Makes of an object what is worth its memory; name, labels and resourceVersion stay."""

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.02, 5.0
HEALTHY_SECONDS = 10.0
"""A watch that lasted so long was in order: the pause after it is the shortest."""
WATCH_SECONDS = 300
"""The server is asked to end a watch after this to twice this time, as client-go asks it."""
PAGE_SIZE = 1000
_MOST_AHEAD = 1000
_CHANGES = (b'{"type":"ADDED"', b'{"type":"MODIFIED"')
_VERSION = b'"resourceVersion":"'
"""How servers written in Go, and ours, begin and name these; of others each line is read."""


class Pauses:
    """How long to wait between watches: longer while they end soon, whatever ends them."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE_SECONDS

    def after(self, lasted_seconds: float) -> float:
        """Return the seconds to wait after a watch that lasted so long."""
        if lasted_seconds >= HEALTHY_SECONDS:
            self._next = FIRST_PAUSE_SECONDS
        pause = self._next
        self._next = min(pause * 2, MAX_PAUSE_SECONDS)
        return pause


class WatchCache:
    """Lists and watches one source; ``run()`` keeps it current until cancelled."""

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        unread: tuple[str, ...] = (),
        keep: Keep | None = None,
    ) -> None:
        self.source = Source(resource, namespace, label_selector, field_selector, unread)
        self._keep = keep
        self.failure: ApiError | None = None
        """Why the last watch ended, None while one is open or ended in order."""
        self._client = client
        self._selector = parse_label_selector(label_selector) if label_selector else EVERYTHING
        self._held: dict[Key, Object | bytes] = {}
        self._alike = Likeness()
        self._unfolded: set[Key] = set()
        self._touched: set[Key] = set()
        self._foretold: list[Key] = []
        self._ahead: dict[bytes, bytes] = {}
        """Versions that answers to writes have brought before the watch, with the object's uid."""
        self._indexes: dict[Hashable, tuple[IndexFunction, Multimap[str, Key]]] = {}
        self._subscribers: list[_Subscriber] = []
        self._version = ""
        self._synced = asyncio.Event()

    # -- reading ---------------------------------------------------------------------------

    def get(self, namespace: str, name: str) -> Object | None:
        """Return the object of that name; ``namespace`` is "" for cluster-scoped ones."""
        return self._get((namespace, name))

    def list(self, namespace: str | None = None) -> Sequence[Object]:
        """Return all objects, or those of one namespace."""
        items = [item for item in self._held if namespace is None or item[0] == namespace]
        return [obj for item in items if (obj := self._get(item)) is not None]

    def by_index(self, index: Hashable, value: str) -> Sequence[Object]:
        """Return the objects for which the index's function gives this value."""
        items = self._indexes[index][1].get(value)
        return [obj for item in items if (obj := self._get(item)) is not None]

    def count(self, index: Hashable, value: str) -> int:
        """Return how many objects there are for which the index's function gives this value."""
        return len(self._indexes[index][1].get(value))

    def __len__(self) -> int:
        return len(self._held)

    def _get(self, item: Key) -> Object | None:
        held = self._held.get(item)
        if isinstance(held, bytes):
            unfolded: Object = orjson.loads(self._alike.unpack(held))
            self._hold(item, unfolded)
            return unfolded
        if held is not None:
            self._touched.add(item)
        return held

    def _hold(self, item: Key, obj: Object) -> None:
        self._held[item] = obj
        if self._keep is None:  # else it was made small already, and is not necessarily JSON
            self._unfolded.add(item)
            self._touched.add(item)

    def fold(self) -> None:
        """Fold what nobody has touched since the last time; readers notice nothing of it."""
        for item in self._unfolded - self._touched - set(self._foretold):
            self._unfolded.remove(item)
            if (held := self._held.get(item)) is not None:
                self._held[item] = self._alike.pack(orjson.dumps(held))
        self._touched.clear()

    @property
    def resource(self) -> Resource:
        """Whose objects these are."""
        return self.source.resource

    @property
    def is_synced(self) -> bool:
        """Whether there has been a first complete list."""
        return self._synced.is_set()

    async def synced(self) -> None:
        """Wait for the first complete list."""
        await self._synced.wait()

    # -- wiring ----------------------------------------------------------------------------

    def add_index(self, name: Hashable, function: IndexFunction) -> None:
        """Make ``by_index(name, value)`` answer the objects for which function gives value."""
        entries = Multimap[str, Key]()
        self._indexes[name] = function, entries
        for item in list(self._held):
            for value in _values(function, self._get(item)):
                entries.add(value, item)

    def has_index(self, name: Hashable) -> bool:
        """Whether the index is there already."""
        return name in self._indexes

    def on_change(self, callback: Change) -> None:
        """Call back for every change from now on, and now for what is there already."""
        subscriber = _Subscriber(callback, self._get)
        self._subscribers.append(subscriber)
        for item in list(self._held):
            subscriber.tell(item, None, self._get(item))

    def put(self, obj: Object) -> None:
        """Take over the answer to a write of our own, so that the writer sees it at once.

        Resource versions of one server grow and are compared as numbers. What the watch has
        passed already is left alone: the object may have been changed or deleted since.
        """
        version = version_number(obj)
        if not self._selects(obj) or not self.is_synced or version <= int(self._version or 0):
            return
        known = self._get(key(obj))
        if known is None or version_number(known) < version:
            if len(self._ahead) >= _MOST_AHEAD:  # a watch that has stood still
                self._ahead.clear()
            self._ahead[str(version).encode()] = f'"{uid(obj)}"'.encode()
            self._store(key(obj), obj)

    def _is_known(self, line: bytes) -> bool:
        """Whether a line of the watch tells what ``put`` has; to read it again would cost more.

        The object's own version is the first in a line, since metadata come before what may name
        versions of others.
        """
        if not self._ahead:
            return False
        start = line.find(_VERSION) + len(_VERSION)
        version = line[start : line.find(b'"', start)]
        owner = self._ahead.pop(version, None)
        if owner is None or owner not in line or not line.startswith(_CHANGES):
            return False
        self._version = version.decode()
        return True

    @contextmanager
    def expecting(self, obj: Object) -> Iterator[None]:
        """Show an object as a write under way will make it; and as it was, should the write fail.

        Nothing is shown where the write cannot succeed, because the object has been changed.
        """
        item = key(obj)
        known = self._get(item)
        if known is None or resource_version(known) != resource_version(obj):
            yield
            return
        expected = {**obj}
        self._store(item, expected)
        self._foretold.append(item)
        try:
            yield
        except BaseException:
            if self._held.get(item) is expected:
                self._store(item, known)
            raise
        finally:
            self._foretold.remove(item)

    def _selects(self, obj: Object) -> bool:
        """Whether the watch would bring the object; by fields that is not known."""
        return (
            self.source.field_selector is None
            and self.source.namespace in (None, namespace(obj))
            and self._selector.matches(labels(obj))
        )

    # -- keeping current -------------------------------------------------------------------

    async def run(self) -> None:
        """List, then watch; resume after a broken stream, list anew after 410."""
        loop, pauses = asyncio.get_running_loop(), Pauses()
        end_folding = on_look(self.fold)
        try:
            while True:
                started = loop.time()
                await self._list_and_watch()
                await asyncio.sleep(pauses.after(loop.time() - started))
        finally:
            end_folding()
            for subscriber in self._subscribers:
                subscriber.close()

    async def _list_and_watch(self) -> None:
        try:
            if not self._version:
                await self._relist()
            self.failure = None
            await self._watch()
        except Gone:
            self._version = ""
        except ApiError as error:
            if isinstance(error, Forbidden) and not isinstance(self.failure, Forbidden):
                log.error("may not be read", extra=error.facts)
            self.failure = error
            log.debug("watch interrupted", extra=error.facts | {"resource": self.resource.plural})
        except Exception:  # whatever was read cannot be trusted
            caught("watch")
            self._version = ""

    async def _watch(self) -> None:
        source = self.source
        events = self._client.watch(
            source.resource,
            source.namespace,
            resource_version=self._version,
            label_selector=source.label_selector,
            field_selector=source.field_selector,
            timeout_seconds=int(WATCH_SECONDS * (1 + random.random())),
            is_known=self._is_known,
        )
        async for event in events:
            try:
                self._handle(event)
            except Exception:
                caught("watch", _maybe_key(event.object))

    async def _relist(self) -> None:
        source = self.source
        items, version = await self._client.list(
            source.resource,
            source.namespace,
            label_selector=source.label_selector,
            field_selector=source.field_selector,
            limit=PAGE_SIZE,
        )
        self._ahead.clear()  # answers that came since the server listed are not in it
        fresh = {key(item): item for item in items}
        for gone in self._held.keys() - fresh.keys():
            self._store(gone, None)
        for item, obj in fresh.items():
            known = self._get(item)
            if known is None or resource_version(known) != resource_version(obj):
                self._store(item, obj)
        self._version = version
        self._synced.set()

    def _handle(self, event: WatchEvent) -> None:
        version = resource_version(event.object)
        number = version_number(event.object)
        self._version = version
        if event.type == "DELETED":
            self._store(key(event.object), None)
        elif event.type != "BOOKMARK":
            known = self._get(key(event.object))
            if known is None or version_number(known) < number:
                self._store(key(event.object), event.object)

    def _store(self, item: Key, new: Object | None) -> None:
        if new is not None:
            # Half of an object, and nobody here reads it. An update without it keeps the server's.
            metadata(new).pop("managedFields", None)
            if self.source.unread:
                new = {k: v for k, v in new.items() if k not in self.source.unread}
            new = new if self._keep is None else self._keep(new)
        old = self._get(item)
        if old is None:
            item = shared(item)
        if new is not None:
            self._hold(item, new)
        elif self._held.pop(item, None) is None:
            return
        self._reindex(item, old, new)
        if _says_the_same(old, new):
            return
        for subscriber in self._subscribers:
            subscriber.tell(item, old, new)

    def _reindex(self, item: Key, old: Object | None, new: Object | None) -> None:
        for function, entries in self._indexes.values():
            before, after = _values(function, old), _values(function, new)
            if before == after:
                continue
            for value in before:
                entries.remove(value, item)
            for value in after:
                entries.add(value, item)


class _Subscriber:
    """One callback. A change that it failed on is given to it again, with back-off."""

    __slots__ = ("_callback", "_current", "_failed", "_timers")

    def __init__(self, callback: Change, current: Callable[[Key], Object | None]) -> None:
        self._callback = callback
        self._current = current
        self._failed: dict[Key, tuple[Object | None, int]] = {}
        """The object as the callback knew it last, and how often it failed since."""
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    def tell(self, item: Key, old: Object | None, new: Object | None) -> None:
        if self._failed:
            old = self._failed.get(item, (old, 0))[0]
        try:
            if old is not None or new is not None:
                self._callback(old, new)
        except Exception:
            caught("callback", item)
            self._try_again(item, old)
        else:
            if self._failed:
                self._failed.pop(item, None)

    def _try_again(self, item: Key, old: Object | None) -> None:
        failures = self._failed.get(item, (old, 0))[1] + 1
        self._failed[item] = old, failures
        if item not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[item] = loop.call_later(backoff(failures), self._again, item)

    def _again(self, item: Key) -> None:
        del self._timers[item]
        if item in self._failed:
            self.tell(item, None, self._current(item))

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()


def _says_the_same(old: Object | None, new: Object | None) -> bool:
    """Whether two versions of an object differ in nothing else, as after a write foretold."""
    if old is None or new is None or resource_version(old) == resource_version(new):
        return False
    return _versionless(old) == _versionless(new)


def _versionless(obj: Object) -> Object:
    return {**obj, "metadata": {**metadata(obj), "resourceVersion": ""}}


def _values(function: IndexFunction, obj: Object | None) -> tuple[str, ...]:
    if obj is None:
        return ()
    try:
        return tuple(function(obj))
    except Exception:
        caught("index", key(obj))
        return ()


def _maybe_key(obj: object) -> Key | None:
    try:
        return key(obj)  # type: ignore[arg-type]
    except Exception:
        return None

"""The object store: every write durable before it is acknowledged, every read from memory.

The revision log lives in SQLite (``sql``, ``writer``), the current state and the recent changes
in memory (``state``, ``history``). All methods belong to one event loop; handlers, garbage
collection and the other in-process controllers call them. A write names the revision it builds
on; a key with a write on its way takes no second one until the first is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from sys import intern

from hearth.cluster.model import objects
from hearth.cluster.model.objects import Change, Entry, Key, Object
from hearth.cluster.store import sql
from hearth.cluster.store.history import History
from hearth.cluster.store.state import State
from hearth.cluster.store.writer import Job, Maintenance, Writer
from hearth.kube.clock import Clock
from hearth.kube.guards import caught

COMPACT_STEP = 500
"""Revisions looked at in one step of compaction: a few milliseconds."""
MAX_REPLAY_BYTES = 64 * 1024 * 1024
"""Changes that one watch may be given from the disk; who is further behind lists anew."""


class StoreError(Exception):
    """The disk refused a write; nothing of it is visible."""


class StorageFull(StoreError):
    """There is no room left; reads go on."""


class StaleWrite(Exception):
    """The object is not at the revision the write was built on."""


class Compacted(Exception):
    """The revision asked for is gone, or too far back; ``oldest`` is the oldest that is left."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"revision {asked} is compacted, {oldest} is the oldest")
        self.asked = asked
        self.oldest = oldest


class Locked(Exception):
    """Another server uses the state folder."""


class FolderLock:
    """Keeps a second server off a state folder; the kernel frees it when the process dies."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 20, 0).decode().strip() or "unknown"
            os.close(self._file)
            message = f"the state folder {path.parent} is in use by another Hearth (pid {holder})"
            raise Locked(message) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Lets another server have the folder."""
        os.close(self._file)


Listener = Callable[[Change], None]


class Store:
    """The store of one folder: it loads when it is made, and writes out what waits on close."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._clock = clock
        self._lock = FolderLock(folder / "apiserver.lock")
        self._path = folder / "state.db"
        self._writer = Writer(self._path, self._finished)
        self._loop = asyncio.get_running_loop()
        self._state = State()
        self._tombstones: dict[Key, int] = {}
        self._pending: dict[Key, asyncio.Future[Entry]] = {}
        self._gathered: list[Job] = []
        self._listeners: dict[str, list[Listener]] = {}
        self._all_listeners: list[Listener] = []
        self._written = set[Key]()
        self._settling = set[Key]()
        self._reader: sqlite3.Connection | None = None
        self._reading = asyncio.Lock()
        self._load(self._writer.connection)
        self._writer.start()

    def _load(self, connection: sqlite3.Connection) -> None:
        for row in sql.current_rows(connection):
            key = objects.parse_key(row.key)
            if row.deleted:
                self._tombstones[key] = row.id
            else:
                entry = objects.make_entry(key, row.id, row.value)
                self._state.apply(Change(entry, None, deleted=False))
                self._written.add(key)
        self._assigned = self._committed = sql.last_revision(connection)
        self._oldest = sql.compacted_revision(connection)
        self._history = History(self._committed)

    async def close(self) -> None:
        """After this nothing may be called."""
        self._hand_over()
        await asyncio.to_thread(self._writer.stop)
        await asyncio.sleep(0)  # the writer's last answers arrive on the loop
        if self._reader is not None:
            self._reader.close()
        self._lock.release()

    # -- reading ---------------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """The newest revision that readers can see."""
        return self._committed

    @property
    def oldest(self) -> int:
        """Watches and lists may not ask for a revision before this one."""
        return self._oldest

    @property
    def state(self) -> State:
        """The current state; only for reading."""
        return self._state

    def get(self, key: Key) -> Entry | None:
        """The newest committed object under a key, or None."""
        return self._state.get(key)

    async def changes_after(self, revision: int, resource: str) -> list[Change]:
        """Every change of a resource since a revision.

        Raises ``Compacted`` where they are gone, or more than ``MAX_REPLAY_BYTES``.
        """
        if revision < self._oldest:
            raise Compacted(revision, self._oldest)
        recent = self._history.after(revision, resource)
        if recent is not None:
            return recent
        async with self._reading:
            while True:
                upto = self._committed
                rows = await asyncio.to_thread(self._rows_after, revision, upto, resource)
                if rows is None:
                    raise Compacted(revision, self._history.floor)
                if revision < self._oldest:
                    raise Compacted(revision, self._oldest)
                later = self._history.after(upto, resource)
                if later is not None:  # else more came in meanwhile than memory holds
                    return [_change(row, before) for row, before in rows] + later

    def _rows_after(
        self, revision: int, upto: int, resource: str
    ) -> list[tuple[sql.Row, sql.Row | None]] | None:
        if self._reader is None:
            self._reader = sql.connect(self._path)
        return sql.rows_after(
            self._reader, revision, upto=upto, prefix=resource + "/", max_bytes=MAX_REPLAY_BYTES
        )

    def listen(self, resource: str, listener: Listener) -> Callable[[], None]:
        """Calls for every change of a resource once it is visible; returns how to stop it."""
        listeners = self._listeners.setdefault(resource, [])
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    def listen_to_all(self, listener: Listener) -> Callable[[], None]:
        """Calls for every change of any resource; returns how to stop it."""
        self._all_listeners.append(listener)
        return lambda: self._all_listeners.remove(listener)

    # -- writing ---------------------------------------------------------------------------

    async def settled(self, key: Key) -> Entry | None:
        """The object once no write to it is on its way."""
        while (pending := self._pending.get(key)) is not None:
            await asyncio.wait([pending])
        return self._state.get(key)

    async def put(self, key: Key, obj: Object, *, expected: int) -> Entry:
        """Writes an object on top of a revision (0: there must be none); it is then on disk."""
        return await self._write(key, obj, expected=expected, deleted=False)

    async def delete(self, key: Key, obj: Object, *, expected: int) -> Entry:
        """Removes an object; ``obj`` is its last state, which watchers are shown."""
        return await self._write(key, obj, expected=expected, deleted=True)

    async def _write(self, key: Key, obj: Object, *, expected: int, deleted: bool) -> Entry:
        before = self._state.get(key)
        if key in self._pending or (before.revision if before else 0) != expected:
            raise StaleWrite(key.text)
        key = before.key if before else Key(intern(key.resource), intern(key.namespace), key.name)
        revision = self._assigned + 1
        entry = objects.make_entry(key, revision, objects.encode(obj, revision), obj=obj)
        previous = before.revision if before else self._tombstones.get(key, 0)
        row = sql.Row(revision, key.text, previous, deleted, self._clock(), entry.value)
        self._assigned = revision
        future: asyncio.Future[Entry] = self._loop.create_future()
        self._pending[key] = future
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(Job(row, (Change(entry, before, deleted), future)))
        return await asyncio.shield(future)

    def _hand_over(self) -> None:
        """All rows of one turn of the loop for one commit, which costs as much as five rows."""
        if self._gathered:
            self._writer.put(self._gathered)
            self._gathered = []

    def _finished(self, batch: Sequence[Job], error: Exception | None) -> None:
        """On the writer's thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._publish, batch, error)

    def _publish(self, batch: Sequence[Job], error: Exception | None) -> None:
        for job in batch:
            change, future = job.token
            del self._pending[change.now.key]
            if error is None:
                self._apply(change)
                if not future.done():
                    future.set_result(change.now)
            elif not future.done():
                future.set_exception(_store_error(error, self._folder))
                future.exception()  # the caller may be gone

    def _apply(self, change: Change) -> None:
        key = change.now.key
        self._committed = change.revision
        self._state.apply(change)
        if change.deleted:
            self._tombstones[key] = change.revision
        else:
            self._tombstones.pop(key, None)
            self._written.add(key)
        self._history.append(change)
        for listener in (*self._listeners.get(key.resource, ()), *self._all_listeners):
            try:
                listener(change)
            except Exception:  # the write is done; its caller and the other listeners hear of it
                caught("store-listener", (key.namespace, key.name))

    def settled_entries(self) -> Iterator[Entry]:
        """Those that were written before the last call, and not since, or loaded."""
        settled = self._settling - self._written
        self._settling, self._written = self._written, set()
        for key in settled:
            if (entry := self._state.get(key)) is not None:
                yield entry

    # -- compaction ------------------------------------------------------------------------

    async def compact(self, before: float) -> int:
        """Forgets what was replaced or deleted before a moment; returns the number of rows."""
        upto = await self._maintain(lambda connection: sql.revision_before(connection, before))
        gone = 0
        while self._oldest < upto:
            start, end = self._oldest, min(self._oldest + COMPACT_STEP, upto)
            self._oldest = end
            gone += await self._maintain(functools.partial(_compact, start=start, end=end))
        self._tombstones = {k: r for k, r in self._tombstones.items() if r > self._oldest}
        return gone

    async def _maintain(self, work: Callable[[sqlite3.Connection], int]) -> int:
        future: asyncio.Future[int] = self._loop.create_future()

        def done(result: int, error: Exception | None) -> None:
            self._loop.call_soon_threadsafe(_resolve, future, result, error)

        self._hand_over()
        self._writer.put(Maintenance(work, done))
        return await future


def _compact(connection: sqlite3.Connection, *, start: int, end: int) -> int:
    return sql.compact(connection, start, end)


def _resolve(future: asyncio.Future[int], result: int, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(StoreError(str(error)))


def _change(row: sql.Row, before: sql.Row | None) -> Change:
    key = objects.parse_key(row.key)
    old = objects.make_entry(key, before.id, before.value) if before else None
    return Change(objects.make_entry(key, row.id, row.value), old, row.deleted)


def _store_error(error: Exception, folder: Path) -> StoreError:
    text = str(error)
    if "full" in text or "No space" in text:
        return StorageFull(f"cannot write to the state folder {folder}: the disk is full")
    return StoreError(f"cannot write to the state folder {folder}: {text}")

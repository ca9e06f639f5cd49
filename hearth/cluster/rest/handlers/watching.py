"""watch: the changes of a resource as a stream of JSON lines, from any revision still known.

Every watcher has a bounded backlog of changes that the store fills as it publishes them; one that
does not read fast enough is closed, and the client resumes where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from random import Random
from typing import Any

import orjson

from hearth.cluster.codec.negotiate import JSON
from hearth.cluster.model import objects, status
from hearth.cluster.model.objects import Change, Entry, Object
from hearth.cluster.operations.options import ListOptions
from hearth.cluster.operations.watchers import Backlog
from hearth.cluster.rest import shapes
from hearth.cluster.rest.handlers.common import Call
from hearth.cluster.rest.handlers.reading import selection_of
from hearth.cluster.rest.requests import Response
from hearth.cluster.rest.selection import Selection
from hearth.cluster.store.store import Compacted

BOOKMARK_SECONDS = 30.0
LAST_BOOKMARK_SECONDS = 2.0
MIN_TIMEOUT_SECONDS = 1800
BATCH_BYTES = 256 * 1024
ADDED, MODIFIED, DELETED, BOOKMARK, ERROR = "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"
_RANDOM = Random()
INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


def transition(change: Change, selection: Selection) -> str | None:
    """The event a change is to one who sees only what is selected; None: it is none."""
    is_now = not change.deleted and selection.matches(change.now)
    was = change.before is not None and selection.matches(change.before)
    if is_now:
        return MODIFIED if was else ADDED
    return DELETED if was else None


class Renderer:
    """Turns changes into lines of the form that was asked for."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._served = call.served
        output = call.request.output
        self._is_plain = not output.shape and output.media == JSON
        self._definitions: list[dict[str, Any]] | None = shapes.columns(call.kind)

    def event(self, kind: str, change: Change) -> bytes:
        """One event of a change, as one line."""
        if kind == DELETED and not change.deleted and change.before is not None:
            # It left the selection: watchers see its last selected state at the new revision.
            value = objects.with_revision(change.before.value, change.revision)
            return self.entry(kind, objects.make_entry(change.now.key, change.revision, value))
        return self.entry(kind, change.now)

    def entry(self, kind: str, entry: Entry) -> bytes:
        """One event of a stored object; its bytes are forwarded where they can be."""
        if self._is_plain:
            return _line(kind, self._served.full(entry))
        return self.obj(kind, self._served.parse(entry))

    def obj(self, kind: str, obj: Object) -> bytes:
        """One event of a parsed object, in the form that was asked for."""
        call, output = self._call, self._call.request.output
        if output.shape == shapes.TABLE:
            shown = shapes.shaped(call.kind, obj, output, call.api.clock(), include=call.include)
            shown["columnDefinitions"] = self._definitions
            self._definitions = None  # said once
        else:
            shown = shapes.shaped(call.kind, obj, output, call.api.clock())
        return _line(kind, orjson.dumps(shown))

    def bookmark(self, revision: int, annotations: dict[str, str] | None = None) -> bytes:
        """The event that says up to which revision everything has been sent."""
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        if annotations:
            metadata["annotations"] = annotations
        obj = {
            "kind": self._call.kind.kind,
            "apiVersion": self._call.kind.api_version,
            "metadata": metadata,
        }
        if self._call.request.output.shape == shapes.TABLE:
            only = {"cells": [], "object": obj}
            obj = shapes.table(
                self._definitions, [only], {"resourceVersion": str(revision)},
                output=self._call.request.output,
            )  # fmt: skip
        return _line(BOOKMARK, orjson.dumps(obj))


def _line(kind: str, value: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), value)


def error_line(error: status.ApiStatus) -> bytes:
    """The event that ends a watch with a refusal."""
    return _line(ERROR, orjson.dumps(error.body()))


def _next_bookmark(now: float, deadline: float) -> float:
    """When the next bookmark is due: the last one comes shortly before the watch ends."""
    last = deadline - LAST_BOOKMARK_SECONDS
    if last < now:
        return deadline + 1
    return min(now + BOOKMARK_SECONDS, max(last, now + 1e-3))


async def watch(call: Call, options: ListOptions) -> Response:
    """The stream; problems with the revision come as an event in it, as in Kubernetes."""
    stream = Stream(call, options, selection_of(call, options))
    content_type = f"{JSON};stream=watch" if call.request.output.shape else JSON
    return Response(200, stream.pieces(), content_type)


class Stream:
    """One watch, from its first event to its last."""

    def __init__(self, call: Call, options: ListOptions, selection: Selection) -> None:
        self._call = call
        self._options = options
        self._selection = selection
        self._renderer = Renderer(call)
        self._backlog = Backlog()
        self._seen = call.api.store.revision

    async def pieces(self) -> AsyncIterator[bytes]:
        """The stream: what leads to the newest state, then the changes as they come."""
        api, resource = self._call.api, self._call.served.resource
        api.watchers.add(resource, self._backlog)
        stop = api.store.listen(resource, self._backlog.put)
        try:
            yield b""  # the headers go out at once
            async for piece in self._start():
                yield piece
            async for piece in self._follow():
                yield piece
        finally:
            stop()
            api.watchers.remove(resource, self._backlog)

    async def _start(self) -> AsyncIterator[bytes]:
        """What leads from the revision asked for to the newest state."""
        options = self._options
        if options.resource_version in ("", "0") or options.send_initial_events:
            async for piece in self._state():
                yield piece
            if options.send_initial_events and options.bookmarks:
                yield self._renderer.bookmark(self._seen, INITIAL_EVENTS_END)
            return
        try:
            changes = await self._call.api.store.changes_after(
                options.revision, self._call.served.resource
            )
        except Compacted as error:
            yield error_line(status.too_old(error.asked, error.oldest))
            self._backlog.close()
            return
        self._seen = options.revision
        for piece in self._rendered(changes):
            yield piece

    async def _state(self) -> AsyncIterator[bytes]:
        store, resource = self._call.api.store, self._call.served.resource
        self._seen = store.revision
        parts: list[bytes] = []
        size = 0
        for entry in store.state.entries(resource, self._call.key.namespace):
            if not self._selection.matches(entry):
                continue
            parts.append(self._renderer.entry(ADDED, entry))
            size += len(parts[-1])
            if size > BATCH_BYTES:
                yield b"".join(parts)
                await asyncio.sleep(0)
                parts, size = [], 0
        if parts:
            yield b"".join(parts)

    async def _follow(self) -> AsyncIterator[bytes]:
        """Changes as they come, bookmarks between them, until the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout()
        bookmark_at = _next_bookmark(loop.time(), deadline)
        while not self._backlog.closed:
            until = min(deadline, bookmark_at)
            if not self._backlog.waiting:
                await self._wait(until)
            for piece in self._rendered(self._backlog.take()):
                yield piece
            if loop.time() >= deadline:
                break
            if loop.time() >= bookmark_at:
                bookmark_at = _next_bookmark(loop.time(), deadline)
                if self._options.bookmarks:
                    yield self._bookmark()

    def _timeout(self) -> float:
        if self._options.timeout_seconds is not None:
            return self._options.timeout_seconds
        return MIN_TIMEOUT_SECONDS + _RANDOM.randrange(MIN_TIMEOUT_SECONDS)

    async def _wait(self, until: float) -> None:
        """Until something waits to be sent, or that moment of the loop's clock."""
        wake = self._backlog.wake
        wake.clear()
        timer = asyncio.get_running_loop().call_at(until, wake.set)
        try:
            await wake.wait()
        finally:
            timer.cancel()

    def _bookmark(self) -> bytes:
        """Everything up to here has been sent, or was not of interest."""
        if not self._backlog.waiting:
            self._seen = max(self._seen, self._call.api.store.revision)
        return self._renderer.bookmark(self._seen)

    def _rendered(self, changes: Sequence[Change]) -> Iterator[bytes]:
        """The events of changes not seen yet, several in one piece."""
        parts: list[bytes] = []
        size = 0
        for change in changes:
            if change.revision <= self._seen:
                continue
            self._seen = change.revision
            kind = transition(change, self._selection)
            if kind is not None:
                parts.append(self._renderer.event(kind, change))
                size += len(parts[-1])
            if size > BATCH_BYTES:
                yield b"".join(parts)
                parts, size = [], 0
        if parts:
            yield b"".join(parts)

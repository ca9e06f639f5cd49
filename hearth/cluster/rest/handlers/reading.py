"""get and list: bytes straight from the store, in pieces where there are many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from hearth.cluster.codec.negotiate import JSON
from hearth.cluster.model import status
from hearth.cluster.model.objects import Entry
from hearth.cluster.operations.options import ListOptions, list_options
from hearth.cluster.rest import continuetoken, shapes
from hearth.cluster.rest.handlers.common import Call, entry_response, value_response
from hearth.cluster.rest.requests import Response
from hearth.cluster.rest.selection import Selection, select
from hearth.cluster.store.state import rewind
from hearth.cluster.store.store import Compacted

CHUNK_BYTES = 256 * 1024
TURN_SECONDS = 0.005
"""How long one list works before other requests get their turn."""

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


class Pace:
    """Tells a long piece of work when to let others have a turn."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + TURN_SECONDS

    @property
    def is_over(self) -> bool:
        """Whether this turn has lasted long enough."""
        return self._loop.time() >= self._until

    async def give_way(self) -> None:
        """Lets other requests have their turn and begins a new one."""
        await asyncio.sleep(0)
        self._until = self._loop.time() + TURN_SECONDS


async def get(call: Call) -> Response:
    """Handles get of one object."""
    entry = call.api.store.get(call.key)
    if entry is None:
        raise status.not_found(call.kind.group, call.kind.plural, call.target.name)
    asked = call.request.query.get("resourceVersion")
    if asked and asked.isascii() and asked.isdigit() and int(asked) > call.api.store.revision:
        raise status.too_new(int(asked), call.api.store.revision)
    return entry_response(call, entry)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    entries: Sequence[Entry]
    revision: int
    continue_token: str = ""
    remaining: int | None = None

    def metadata(self) -> dict[str, Any]:
        """The ``metadata`` of the list."""
        metadata: dict[str, Any] = {"resourceVersion": str(self.revision)}
        if self.continue_token:
            metadata["continue"] = self.continue_token
        if self.remaining:
            metadata["remainingItemCount"] = self.remaining
        return metadata


async def list_objects(call: Call) -> Response:
    """Handles list."""
    options = list_options(call.request.query)
    return await list_page(call, options)


async def list_page(call: Call, options: ListOptions) -> Response:
    """Answers a list with these options; long ones are streamed."""
    selection = selection_of(call, options)
    page = await page_of(call, options, selection)
    if call.request.output.media != JSON:
        return value_response(call.request, await _parsed(call, page))
    return Response(200, _streamed(call, page))


def selection_of(call: Call, options: ListOptions) -> Selection:
    """The objects that a list, watch or deletecollection is about."""
    return select(
        call.served,
        options.label_selector,
        options.field_selector,
        namespace=call.key.namespace,
        name=call.target.name,
    )


async def page_of(call: Call, options: ListOptions, selection: Selection) -> Page:
    """The objects selected, at the revision asked for."""
    start, revision = "", options.revision if options.match == "Exact" else 0
    if options.continue_token:
        start, revision = continuetoken.decode(options.continue_token)
    elif options.revision > call.api.store.revision:
        raise status.too_new(options.revision, call.api.store.revision)
    entries, revision = await _entries(call, start, revision)
    if not selection.is_everything or revision != call.api.store.revision:
        entries = await _filtered(entries, selection)
    if options.limit <= 0 or len(entries) <= options.limit:
        return Page(entries, revision)
    page = entries[: options.limit]
    token = continuetoken.encode(page[-1].key.path, revision)
    remaining = len(entries) - len(page) if selection.is_everything else None
    return Page(page, revision, token, remaining)


async def _entries(call: Call, start: str, revision: int) -> tuple[Sequence[Entry], int]:
    """The objects behind ``start`` at a revision; 0 and -1 mean the newest."""
    store, namespace = call.api.store, call.key.namespace
    current = store.state.entries(call.served.resource, namespace, after=start)
    now = store.revision
    if revision <= 0 or revision == now:
        return current, now
    if revision > now:
        raise status.too_new(revision, now)
    try:
        changes = await store.changes_after(revision, call.served.resource)
    except Compacted as error:
        raise _expired(start, error) from None
    # Changes may have come in meanwhile: take the state that the changes lead to.
    current = store.state.entries(call.served.resource)
    entries = rewind(current, changes)
    return [
        entry
        for entry in entries
        if (not namespace or entry.key.namespace == namespace) and entry.key.path > start
    ], revision


def _expired(start: str, error: Compacted) -> status.ApiStatus:
    if not start:
        return status.too_old(error.asked, error.oldest)
    token = continuetoken.encode(start, continuetoken.INCONSISTENT)
    return status.expired(_TOO_OLD, continue_token=token)


async def _filtered(entries: Sequence[Entry], selection: Selection) -> list[Entry]:
    matching: list[Entry] = []
    pace = Pace()
    for entry in entries:
        if pace.is_over:
            await pace.give_way()
        if selection.matches(entry):
            matching.append(entry)
    return matching


def list_kind(call: Call) -> str:
    """The kind of a list: ``PodList``."""
    return call.kind.list_kind or f"{call.kind.kind}List"


async def _pieces(call: Call, page: Page) -> AsyncIterator[bytes]:
    """The list as bytes: items are joined, never parsed."""
    head = {"kind": list_kind(call), "apiVersion": call.kind.api_version}
    item = call.served.item
    async for piece in _joined(head | {"metadata": page.metadata()}, "items", page, item):
        yield piece


async def _joined(
    head: dict[str, Any], field: str, page: Page, render: Callable[[Entry], bytes]
) -> AsyncIterator[bytes]:
    """An object whose last field is a list with one rendered element for each entry."""
    parts, size, pace = [orjson.dumps(head)[:-1], b',"%b":[' % field.encode()], 0, Pace()
    for index, entry in enumerate(page.entries):
        if index:
            parts.append(b",")
        parts.append(render(entry))
        size += len(parts[-1])
        if size > CHUNK_BYTES or pace.is_over:
            yield b"".join(parts)
            await pace.give_way()
            parts, size = [], 0
    parts.append(b"]}")
    yield b"".join(parts)


async def _parsed(call: Call, page: Page) -> dict[str, Any]:
    """The list as a value, for the forms that cannot be joined."""
    pieces = [piece async for piece in _streamed(call, page)]
    value: dict[str, Any] = orjson.loads(b"".join(pieces))
    return value


def _streamed(call: Call, page: Page) -> AsyncIterator[bytes]:
    """The list in the form asked for, as JSON."""
    shape = call.request.output.shape
    if shape == shapes.TABLE:
        return _table(call, page)
    if shape == shapes.PARTIAL:
        go_type = shapes.go_type(call.kind, of_list=True)
        raise status.wrong_shape(shape, f"is a list ({go_type})")
    return _partial(call, page) if shape.startswith(shapes.PARTIAL) else _pieces(call, page)


def _table(call: Call, page: Page) -> AsyncIterator[bytes]:
    version, now, include = call.request.output.shape_api_version, call.api.clock(), call.include

    def row(entry: Entry) -> bytes:
        obj = call.served.parse(entry)
        return orjson.dumps(shapes.row(call.kind, obj, now, include=include, api_version=version))

    head = {
        "kind": shapes.TABLE,
        "apiVersion": version,
        "metadata": page.metadata(),
        "columnDefinitions": shapes.columns(call.kind),
    }
    return _joined(head, "rows", page, row)


def _partial(call: Call, page: Page) -> AsyncIterator[bytes]:
    version = call.request.output.shape_api_version

    def item(entry: Entry) -> bytes:
        return orjson.dumps(shapes.partial(call.served.parse(entry), version))

    head = {"kind": f"{shapes.PARTIAL}List", "apiVersion": version, "metadata": page.metadata()}
    return _joined(head, "items", page, item)

"""get and list: bytes straight from the store, in pieces where there are many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from hearth.cluster.apiserver import continuetoken, status, tables
from hearth.cluster.apiserver.handlers.common import Call, entry_response, value_response
from hearth.cluster.apiserver.negotiate import JSON
from hearth.cluster.apiserver.objects import Entry
from hearth.cluster.apiserver.options import ListOptions, list_options
from hearth.cluster.apiserver.requests import Response
from hearth.cluster.apiserver.selection import Selection, select
from hearth.cluster.apiserver.state import rewind
from hearth.cluster.apiserver.store import Compacted

CHUNK_BYTES = 256 * 1024
FILTER_STEP = 500
"""How many objects are parsed before other requests get their turn: a few milliseconds."""

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


async def get(call: Call) -> Response:
    entry = call.api.store.get(call.key)
    if entry is None:
        raise status.not_found(call.kind.group, call.kind.plural, call.target.name)
    wanted = call.request.query.get("resourceVersion")
    if wanted and wanted.isdigit() and int(wanted) > call.api.store.revision:
        raise status.too_new(int(wanted), call.api.store.revision)
    return entry_response(call, entry)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    entries: Sequence[Entry]
    revision: int
    continue_token: str = ""
    remaining: int | None = None

    def metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = {"resourceVersion": str(self.revision)}
        if self.continue_token:
            found["continue"] = self.continue_token
        if self.remaining:
            found["remainingItemCount"] = self.remaining
        return found


async def list_objects(call: Call) -> Response:
    options = list_options(call.request.query)
    return await list_page(call, options)


async def list_page(call: Call, options: ListOptions) -> Response:
    selection = selection_of(call, options)
    page = await page_of(call, options, selection)
    output = call.request.output
    if output.shape == "Table":
        return await _table(call, page)
    if output.shape.startswith("PartialObjectMetadata"):
        return await _partial(call, page)
    if output.media != JSON:
        return value_response(call.request, await _parsed(call, page))
    return Response(200, _pieces(call, page))


def selection_of(call: Call, options: ListOptions) -> Selection:
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
    if not options.limit or len(entries) <= options.limit:
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
    found = rewind(current, changes)
    return [
        entry
        for entry in found
        if (not namespace or entry.key.namespace == namespace) and entry.key.path > start
    ], revision


def _expired(start: str, error: Compacted) -> status.ApiStatus:
    if not start:
        return status.too_old(error.asked, error.oldest)
    token = continuetoken.encode(start, continuetoken.INCONSISTENT)
    return status.expired(_TOO_OLD, continue_token=token)


async def _filtered(entries: Sequence[Entry], selection: Selection) -> list[Entry]:
    found: list[Entry] = []
    for at in range(0, len(entries), FILTER_STEP):
        if at:
            await asyncio.sleep(0)
        found += [e for e in entries[at : at + FILTER_STEP] if selection.matches(e)]
    return found


def list_kind(call: Call) -> str:
    return call.kind.list_kind or f"{call.kind.kind}List"


async def _pieces(call: Call, page: Page) -> AsyncIterator[bytes]:
    """The list as bytes: items are joined, never parsed."""
    head = orjson.dumps(
        {"kind": list_kind(call), "apiVersion": call.kind.api_version, "metadata": page.metadata()}
    )
    parts, size = [head[:-1], b',"items":['], 0
    for at, entry in enumerate(page.entries):
        if at:
            parts.append(b",")
        item = call.served.item(entry)
        parts.append(item)
        size += len(item)
        if size > CHUNK_BYTES:
            yield b"".join(parts)
            await asyncio.sleep(0)
            parts, size = [], 0
    parts.append(b"]}")
    yield b"".join(parts)


async def _parsed(call: Call, page: Page) -> dict[str, Any]:
    items = []
    for at, entry in enumerate(page.entries):
        if at % FILTER_STEP == FILTER_STEP - 1:
            await asyncio.sleep(0)
        item = call.served.parse(entry)
        if not call.kind.custom:
            del item["apiVersion"], item["kind"]
        items.append(item)
    return {
        "kind": list_kind(call),
        "apiVersion": call.kind.api_version,
        "metadata": page.metadata(),
        "items": items,
    }


async def _table(call: Call, page: Page) -> Response:
    rows, now, output = [], call.api.clock(), call.request.output
    for at, entry in enumerate(page.entries):
        if at % FILTER_STEP == FILTER_STEP - 1:
            await asyncio.sleep(0)
        obj = call.served.parse(entry)
        rows.append(
            tables.row(
                call.kind, obj, now, include=call.include, api_version=output.shape_api_version
            )
        )
    definitions = tables.columns(call.kind)
    value = tables.table(definitions, rows, page.metadata(), output=output)
    return value_response(call.request, value)


async def _partial(call: Call, page: Page) -> Response:
    version, items = call.request.output.shape_api_version, []
    for at, entry in enumerate(page.entries):
        if at % FILTER_STEP == FILTER_STEP - 1:
            await asyncio.sleep(0)
        items.append(tables.partial(call.served.parse(entry), version))
    value = {
        "kind": "PartialObjectMetadataList",
        "apiVersion": version,
        "metadata": page.metadata(),
        "items": items,
    }
    return value_response(call.request, value)

"""delete and deletecollection over HTTP."""

from __future__ import annotations

from typing import Any

from hearth.cluster.codec import decode, typecheck
from hearth.cluster.model import status
from hearth.cluster.model.typetable import struct
from hearth.cluster.operations.deletes import RETURNS_OBJECT, delete
from hearth.cluster.operations.options import (
    DeleteOptions,
    WriteOptions,
    delete_options,
    list_options,
)
from hearth.cluster.rest.handlers.common import Call, object_response, value_response
from hearth.cluster.rest.handlers.reading import list_kind, page_of, selection_of
from hearth.cluster.rest.requests import Response

JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
    "to remove them or set propagationPolicy=Orphan to suppress this warning"
)


def _options(call: Call) -> DeleteOptions:
    request = call.request
    body = None
    if request.body:
        body, _ = decode.decode_body(
            request.body, request.headers.get("content-type", ""), "DeleteOptions"
        )
        _check_body(body)
    return delete_options(request.query, request.raw_query, body)


def _check_body(body: Any) -> None:
    """Refuses what is no DeleteOptions: nothing is deleted by a body that means something else."""
    if isinstance(body, dict) and body.get("kind") not in (None, "", "DeleteOptions"):
        raise status.bad_request("decoded object cannot be converted to DeleteOptions")
    problems = typecheck.decode_errors(
        body, struct("meta/v1", "DeleteOptions").schema, "DeleteOptions"
    )
    if problems:
        handled = 'DeleteOptions in version "v1" cannot be handled as a DeleteOptions'
        raise status.bad_request(f"{handled}: {problems[0]}")


async def delete_one(call: Call) -> Response:
    """Handles delete of one object."""
    options = _options(call)
    if call.served.resource == "jobs.batch" and not options.propagation_policy:
        call.request.warnings.append(JOB_WARNING)
    write = call.write(WriteOptions(dry_run=options.dry_run))
    done = await delete(write, options)
    if not done.gone or call.served.resource in RETURNS_OBJECT:
        return object_response(call, done.obj)
    details: dict[str, Any] = {"name": call.target.name}
    if call.kind.group:
        details["group"] = call.kind.group
    details |= {"kind": call.kind.plural, "uid": done.obj["metadata"].get("uid", "")}
    return value_response(call.request, status.success(details))


async def delete_collection(call: Call) -> Response:
    """Deletes what is selected, and lists it."""
    options, listing = _options(call), list_options(call.request.query)
    page = await page_of(call, listing, selection_of(call, listing))
    items = []
    for entry in page.entries:
        write = call.write(WriteOptions(dry_run=options.dry_run), name=entry.key.name)
        write.namespace = entry.key.namespace
        try:
            await delete(write, options)
        except status.ApiStatus as refusal:
            if refusal.code != 404:  # somebody else was faster
                raise
        items.append(call.served.parse(entry))
    for item in items:
        if not call.kind.custom:
            del item["apiVersion"], item["kind"]
    value = {
        "kind": list_kind(call),
        "apiVersion": call.kind.api_version,
        "metadata": page.metadata(),
        "items": items,
    }
    return value_response(call.request, value)

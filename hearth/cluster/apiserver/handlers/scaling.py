"""The scale subresource over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from hearth.cluster.apiserver import decode, patches, status, typecheck
from hearth.cluster.apiserver.handlers.common import Call, value_response
from hearth.cluster.apiserver.handlers.writing import check_name
from hearth.cluster.apiserver.kind import Schema
from hearth.cluster.apiserver.kinds.typetable import struct
from hearth.cluster.apiserver.objects import Object
from hearth.cluster.apiserver.options import WriteOptions
from hearth.cluster.apiserver.requests import Response
from hearth.cluster.apiserver.scaling import API_VERSION, make_scale, replicas_of, set_replicas
from hearth.cluster.apiserver.writes import update

_PATCHES = (patches.JSON_PATCH, patches.MERGE_PATCH, patches.STRATEGIC_PATCH)


async def get(call: Call) -> Response:
    entry = call.api.store.get(call.key)
    if entry is None:
        raise status.not_found(call.kind.group, call.kind.plural, call.target.name)
    return value_response(call.request, make_scale(call.kind, call.served.parse(entry)))


async def put(call: Call) -> Response:
    options = call.write_options("UpdateOptions")
    request = call.request
    scale, _ = decode.decode_body(request.body, request.headers.get("content-type", ""), "Scale")
    if not isinstance(scale, dict) or scale.get("kind", "Scale") != "Scale":
        raise status.bad_request("the body is not a Scale")
    if scale.get("apiVersion", API_VERSION) != API_VERSION:
        raise status.bad_request(
            f"the API version in the data ({scale['apiVersion']}) does not match the expected API "
            f"version ({API_VERSION})"
        )
    problems = typecheck.decode_errors(scale, _schema(), "Scale")
    if problems:
        raise status.bad_request(
            f'Scale in version "v1" cannot be handled as a Scale: {problems[0]}'
        )
    check_name(scale, call.target.name, call.key.namespace)
    return await _change(call, options, lambda _: scale)


def _schema() -> Schema:
    return struct("autoscaling/v1", "Scale").schema


async def patch(call: Call) -> Response:
    media = decode.media_type(call.request.headers.get("content-type", ""), _PATCHES)
    options = call.write_options("PatchOptions")
    body = patches.decode_patch(call.request.body, media)

    def change(scale: Object) -> Object:
        changed = patches.patched(scale, body, media, schema=_schema())
        patches.check_types(changed, _schema(), "Scale", patch=body, media=media)
        return changed

    return await _change(call, options, change)


async def _change(
    call: Call, options: WriteOptions, change: Callable[[Object], Object]
) -> Response:
    kind = call.kind

    def scaled(obj: Object) -> Object:
        scale = change(make_scale(kind, obj, must_exist=False))
        metadata = scale.get("metadata") or {}
        obj["metadata"]["resourceVersion"] = metadata.get("resourceVersion", "")
        if metadata.get("uid"):
            obj["metadata"]["uid"] = metadata["uid"]
        if not obj["metadata"]["resourceVersion"]:
            obj["metadata"]["resourceVersion"] = current_version(call)
        return set_replicas(kind, obj, replicas_of(scale, call.target.name))

    write = call.write(options)
    written = await update(write, scaled)
    obj = call.served.parse(written.entry) if written.entry is not None else written.obj
    assert obj is not None
    return value_response(call.request, make_scale(kind, obj))


def current_version(call: Call) -> str:
    """A Scale without resourceVersion is written on top of whatever there is."""
    entry = call.api.store.get(call.key)
    return str(entry.revision) if entry is not None else ""

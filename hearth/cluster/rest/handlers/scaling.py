"""The scale subresource over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from hearth.cluster.codec import decode, patches, typecheck
from hearth.cluster.model import status
from hearth.cluster.model.kind import Schema
from hearth.cluster.model.objects import Object
from hearth.cluster.model.typetable import struct
from hearth.cluster.operations.options import WriteOptions, check_patch_options
from hearth.cluster.operations.writes import UpdateRules, Written, update
from hearth.cluster.rest.handlers.common import Call, value_response
from hearth.cluster.rest.handlers.writing import applied_body, check_name, merging
from hearth.cluster.rest.requests import Response
from hearth.cluster.rest.scaling import API_VERSION, make_scale, replicas_of, set_replicas


async def get(call: Call) -> Response:
    """Handles get of the scale subresource."""
    entry = call.api.store.get(call.key)
    if entry is None:
        raise status.not_found(call.kind.group, call.kind.plural, call.target.name)
    return value_response(call.request, make_scale(call.kind, call.served.parse(entry)))


async def put(call: Call) -> Response:
    """Handles update of the scale subresource."""
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
    """Handles patch and apply of the scale subresource."""
    accepted = patches.accepted(call.kind)
    media = decode.media_type(call.request.headers.get("content-type", ""), accepted)
    options = call.write_options("PatchOptions")
    is_apply = media == patches.APPLY_PATCH
    check_patch_options(options, is_apply=is_apply)
    if is_apply:
        return await _apply(call, options)
    body = patches.decode_patch(call.request.body, media)

    def change(scale: Object) -> Object:
        changed = patches.patched(scale, body, media, schema=_schema())
        patches.check_types(changed, _schema(), "Scale", patch=body, media=media)
        return changed

    return await _change(call, options, change)


async def _apply(call: Call, options: WriteOptions) -> Response:
    """The applied replicas are merged into the object itself, owned through ``scale``."""
    scale, repeated = applied_body(call, API_VERSION, "Scale")
    problems = typecheck.decode_errors(scale, _schema(), "Scale")
    if problems:
        raise status.ApiStatus(500, "", f"failed to create typed patch object: {problems[0]}")
    kind, metadata = call.kind, {"name": call.target.name}
    applied: Object = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
    if "replicas" in (scale.get("spec") or {}):
        set_replicas(kind, applied, replicas_of(scale, call.target.name))
    write = call.write(options)
    merged = merging(call, write, applied, repeated=repeated)
    return _answer(call, await update(write, merged, UpdateRules(tracked=True)))


def _answer(call: Call, written: Written) -> Response:
    obj = call.served.parse(written.entry) if written.entry is not None else written.obj
    assert obj is not None
    return value_response(call.request, make_scale(call.kind, obj))


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
    return _answer(call, await update(write, scaled))


def current_version(call: Call) -> str:
    """A Scale without resourceVersion is written on top of whatever there is."""
    entry = call.api.store.get(call.key)
    return str(entry.revision) if entry is not None else ""

"""create, update and patch over HTTP: decode the request, then ``writes``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from hearth.cluster.codec import decode, patches, yamlbody
from hearth.cluster.fields import updates as managed
from hearth.cluster.model import status
from hearth.cluster.model.differences import changed_part
from hearth.cluster.model.objects import Object
from hearth.cluster.operations import options
from hearth.cluster.operations.options import WriteOptions
from hearth.cluster.operations.writes import UpdateRules, Write, Written, create, update
from hearth.cluster.rest.handlers.common import Call, written_response
from hearth.cluster.rest.requests import Response


async def post(call: Call) -> Response:
    """Creates an object from the body."""
    write_options = call.write_options("CreateOptions")
    obj = decoded(call, write_options)
    return written_response(call, await create(call.write(write_options, name=""), obj))


def type_of(obj: Object) -> tuple[str, str]:
    """Type and version that an object names: ``apiVersion``, ``kind``."""
    return str(obj["apiVersion"]), str(obj["kind"])


def decoded(call: Call, write_options: WriteOptions, known: Object | None = None) -> Object:
    """The object in the body, of the right kind and without unknown fields.

    ``known`` is the object that it is to replace.
    """
    request, kind = call.request, call.kind
    obj, duplicates = decode.decode_object(
        request.body, request.headers.get("content-type", ""), kind
    )
    is_builtin = call.api.kinds.is_builtin(obj)
    is_unknown = kind.custom and call.api.kinds.by_kind(*type_of(obj)) is None
    is_other_version = type_of(obj)[0] != kind.api_version
    if is_unknown and is_other_version and write_options.field_validation == "Warn":
        request.warnings += decode.unknown_version_warnings(obj)
    decode.check_type(obj, kind, is_builtin=is_builtin)
    obj, warnings = decode.check_fields(
        obj,
        kind,
        validation=write_options.field_validation,
        duplicates=duplicates,
        known=known,
    )
    request.warnings += warnings
    return obj


async def put(call: Call) -> Response:
    """Replaces an object by the body."""
    write_options = call.write_options("UpdateOptions")
    stored = call.api.store.get(call.key)
    known = None if stored is None else (stored, call.served.parse(stored))
    obj = decoded(call, write_options, known and known[1])
    check_name(obj, call.target.name, call.key.namespace)
    can_create = call.served.resource in options.CREATE_ON_UPDATE
    fresh = _copies(obj)
    missing = fresh if can_create and not call.target.subresource else None
    rules = UpdateRules(missing=missing, known=known, replaces=True)
    written = await update(call.write(write_options), lambda _: fresh(), rules)
    return written_response(call, written)


def check_name(obj: Object, name: str, namespace: str) -> None:
    """The object must be the one that the URL names."""
    metadata = obj.get("metadata") or {}
    given, place = metadata.get("name"), metadata.get("namespace")
    if not given:
        problem = f"the name of the object ({name} based on URL) was undeterminable"
        raise status.bad_request(f"{problem}: name must be provided")
    if given != name:
        problem = f"the name of the object ({given}) does not match the name on the URL ({name})"
        raise status.bad_request(problem)
    if namespace and place and place != namespace:
        raise status.bad_request(
            f"the namespace of the object ({place}) does not match the namespace on the request "
            f"({namespace})"
        )


async def finalize(call: Call) -> Response:
    """Replaces the finalizers of a namespace, and nothing else of it."""
    write_options = call.write_options("UpdateOptions")
    finalizers = (decoded(call, write_options).get("spec") or {}).get("finalizers") or []

    def change(namespace: Object) -> Object:
        namespace["spec"] = {"finalizers": finalizers} if finalizers else {}
        return namespace

    write = call.write(write_options)
    return written_response(call, await update(write, change))


def _copies(obj: Object) -> Callable[[], Object]:
    """The object itself, and copies of what it was for further tries: each may be changed."""
    first, text = [obj], orjson.dumps(obj)
    return lambda: first.pop() if first else orjson.loads(text)


async def patch(call: Call) -> Response:
    """Patches an object in one of four ways, as Content-Type says."""
    accepted = patches.accepted(call.kind)
    media = decode.media_type(call.request.headers.get("content-type", ""), accepted)
    write_options = call.write_options("PatchOptions")
    is_apply = media == patches.APPLY_PATCH
    options.check_patch_options(write_options, is_apply=is_apply)
    write = call.write(write_options)
    if is_apply:
        return written_response(call, await _apply(call, write))
    body = patches.decode_patch(call.request.body, media)
    change = _patching(call, write_options, body, media=media)
    return written_response(call, await update(write, change))


def _patching(
    call: Call, write_options: WriteOptions, body: Any, *, media: str
) -> Callable[[Object], Object]:
    kind, said = call.kind, set[str]()
    duplicates = decode.duplicate_fields(call.request.body, body)

    def change(obj: Object) -> Object:
        result = patches.patched(obj, body, media, schema=kind.schema)
        patches.check_kind(result, kind, media=media, is_builtin=call.api.kinds.is_builtin)
        part = changed_part(result, obj)
        patches.check_types(result, kind.schema, kind.kind, patch=body, media=media, part=part)
        warnings = patches.check_patched_fields(
            result,
            kind,
            part=part,
            validation=write_options.field_validation,
            duplicates=duplicates,
            text=patches.shown(result, body, media),
        )
        check_name(result, call.target.name, call.key.namespace)
        # A patch may be tried again on a newer state; it warns once.
        call.request.warnings += [w for w in warnings if w not in said]
        said.update(warnings)
        return result

    return change


async def _apply(call: Call, write: Write) -> Written:
    applied, repeated = applied_body(call, call.kind.api_version, call.kind.kind)
    merged = merging(call, write, applied, repeated=repeated)

    def missing() -> Object:
        result = merged(None)
        uid = result["metadata"].get("uid")
        if uid:
            problem = f"the provided object specified uid {uid}, and no existing object was found"
            raise write.conflict(f"uid mismatch: {problem}")
        return result

    rules = UpdateRules(missing=None if write.subresource else missing, tracked=True)
    return await update(write, merged, rules)


def merging(
    call: Call, write: Write, applied: Object, *, repeated: str
) -> Callable[[Object | None], Object]:
    """From the object as it is to the object with an applied configuration merged in."""
    kind = call.kind

    def merged(live: Object | None) -> Object:
        try:
            result, conflicts = managed.apply(
                live,
                decode.copied(applied),
                schema=kind.schema,
                manager=write.options.field_manager,
                force=bool(write.options.force),
                api_version=kind.api_version,
                now=call.api.now(),
                subresource=write.subresource,
                reset=managed.reset_fields(
                    write.subresource,
                    has_status="status" in kind.subresources,
                    custom=kind.custom,
                ),
            )
        except managed.ApplyError as error:
            raise _apply_refused(error) from None
        if conflicts:
            body = managed.conflict_status(conflicts)
            raise status.ApiStatus(409, "Conflict", body["message"], details=body.get("details"))
        _check_repeated(call, write, repeated)
        return result

    return merged


def _check_repeated(call: Call, write: Write, complaint: str) -> None:
    """Keys that came twice in the YAML: refused or warned of, as ``fieldValidation`` says."""
    validation = write.options.field_validation
    if not complaint or validation == "Ignore":
        return
    if validation == "Strict":
        problem = f"error converting YAML to JSON: {complaint}"
        raise status.bad_request(f"error strict decoding YAML: {problem}")
    said = call.request.warnings
    said += [text for text in yamlbody.warnings_of(complaint) if text not in said]


def _apply_refused(error: managed.ApplyError) -> status.ApiStatus:
    if error.code == 400:
        return status.bad_request(str(error))
    return status.ApiStatus(error.code, "", str(error))


def applied_body(call: Call, api_version: str, kind: str) -> tuple[Object, str]:
    """The applied configuration: YAML or JSON, naming what the URL names.

    Fields that its kind does not know are not dropped: merging refuses them. What a strict reader
    says of it comes along; it matters only once the patch has been merged.
    """
    try:
        obj, repeated = yamlbody.load_yaml(call.request.body)
    except yamlbody.YamlError as error:
        problem = f"error converting YAML to JSON: {error}"
        raise status.bad_request(f"error decoding YAML: {problem}") from None
    obj = {} if obj is None else obj
    if not isinstance(obj, dict):
        raise status.bad_request(f"error decoding YAML: {_NOT_JSON}{patches.not_a_map(obj)}")
    _check_applied_type(obj, api_version, kind)
    metadata = obj.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise status.bad_request("error decoding YAML: metadata is not an object")
    obj["metadata"] = {"name": call.target.name} | metadata
    check_name(obj, call.target.name, call.key.namespace)
    return obj, repeated


_NOT_JSON = "error unmarshaling JSON: while decoding JSON: "


def _check_applied_type(obj: Object, api_version: str, kind: str) -> None:
    version = obj.get("apiVersion") or ""
    if version != api_version:
        raise status.bad_request(
            f"Incorrect version specified in apply patch. Specified patch version: {version}, "
            f"expected: {api_version}"
        )
    if obj.get("kind") != kind:
        given, expected = f"Kind={obj.get('kind') or ''}", f"Kind={kind}"
        raise status.bad_request(
            f"incorrect type specified in patch: {version}, {given}, expected {version}, {expected}"
        )

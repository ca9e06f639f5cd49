"""The patch types: from a request body to a change of the object. Pure.

JSON patch, merge patch and strategic merge patch change the object as it is; the result is
decoded anew, as if a client had sent it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from hearth.cluster.codec import decode, strategic, typecheck
from hearth.cluster.codec.structconvert import conversion_error, go_text
from hearth.cluster.model import status
from hearth.cluster.model.fielderrors import invalid
from hearth.cluster.model.kind import Kind, Schema
from hearth.cluster.model.objects import Object
from hearth.kube import gojson
from hearth.kube.patch import CopyLimitError, PatchError, json_patch, merge_patch

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_MAX_OPERATIONS = 10_000
_OPERATION = "jsonpatch.Operation"


def accepted(kind: Kind) -> list[str]:
    """The media types of patches to a kind, as Kubernetes lists them."""
    types = [JSON_PATCH, MERGE_PATCH]
    if not kind.custom:
        types.append(STRATEGIC_PATCH)
    return [*types, APPLY_PATCH]


def decode_patch(body: bytes, media: str) -> Any:
    """The patch itself; 400 with Go's words where it is none."""
    try:
        value = decode.load_json(body)
    except gojson.GoJsonError as error:
        raise status.bad_request(_decoding(media, str(error))) from None
    if not isinstance(value, list if media == JSON_PATCH else dict):
        raise status.bad_request(_decoding(media, _not_a(value, media)))
    if isinstance(value, list):
        _check_operations(value)
    return value


def _decoding(media: str, problem: str) -> str:
    return problem if media == STRATEGIC_PATCH else f"error decoding patch: {problem}"


def _not_a(value: Any, media: str) -> str:
    shown = {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(value), "number")
    target = "[]interface {}" if media == JSON_PATCH else "map[string]interface {}"
    return f"json: cannot unmarshal {shown} into Go value of type {target}"


def not_a_map(value: Any) -> str:
    """What Kubernetes says of a merge patch that is no object."""
    return _not_a(value, MERGE_PATCH)


def _check_operations(operations: list[Any]) -> None:
    if len(operations) > _MAX_OPERATIONS:
        raise status.ApiStatus(
            413,
            "RequestEntityTooLarge",
            f"The allowed maximum operations in a JSON patch is {_MAX_OPERATIONS}, "
            f"got {len(operations)}",
        )
    for operation in operations:
        if not isinstance(operation, dict):
            problem = _not_a(operation, MERGE_PATCH).replace("map[string]interface {}", _OPERATION)
            raise status.bad_request(problem)


def patched(obj: Object, patch: Any, media: str, *, schema: Schema) -> Object:
    """The object with the patch applied; 422 where it does not fit."""
    if media == JSON_PATCH:
        try:
            result = json_patch(obj, patch, copy_limit=decode.MAX_BODY)
        except CopyLimitError as error:
            raise status.ApiStatus(413, "RequestEntityTooLarge", str(error)) from None
        except PatchError:
            raise status.unprocessable() from None
    elif media == STRATEGIC_PATCH:
        try:
            result = strategic.strategic_merge(obj, patch, schema)
        except strategic.BadFormat as error:
            raise status.bad_request(str(error)) from None
        except ValueError as error:
            raise status.ApiStatus(500, "", str(error)) from None
    else:
        result = merge_patch(obj, patch)
    if not isinstance(result, dict):
        raise status.unprocessable()
    return result


def shown(obj: Object, patch: Any, media: str) -> str:
    """What a refusal shows: the patched object, of a strategic merge patch the patch itself."""
    return go_text(patch) if media == STRATEGIC_PATCH else orjson.dumps(obj).decode()


def check_types(
    obj: Object, schema: Schema, kind: str, *, patch: Any, media: str, part: Object | None = None
) -> None:
    """Refuses a patched object that could not have been sent: a value of a wrong type.

    ``part`` of it is what the patch may have changed; None: all.
    """
    if media == STRATEGIC_PATCH:
        problem = conversion_error(obj, schema)
    else:
        problem = next(
            iter(typecheck.decode_errors(obj if part is None else part, schema, kind)), ""
        )
    if problem:
        raise refused(shown(obj, patch, media), problem)


def refused(text: str, problem: str) -> status.ApiStatus:
    """422: the patch is well-formed and cannot be applied."""
    return status.invalid("", "", "", errors=[invalid("patch", text, problem)])


def check_kind(
    obj: Object, kind: Kind, *, media: str, is_builtin: Callable[[Object], bool]
) -> None:
    """A patch may not make an object one of another kind."""
    if media == STRATEGIC_PATCH:  # read as the kind it was, whatever it says
        obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
    for field, own in (("apiVersion", kind.api_version), ("kind", kind.kind)):
        if not obj.get(field):
            obj[field] = own
    if (obj["apiVersion"], obj["kind"]) == (kind.api_version, kind.kind):
        return
    if kind.custom:
        decode.check_type(obj, kind, is_builtin=False)
    problem = decode.other_kind(obj, kind, is_builtin=is_builtin(obj))
    raise refused(orjson.dumps(obj).decode(), problem)


def check_patched_fields(
    obj: Object,
    kind: Kind,
    *,
    validation: str,
    duplicates: Sequence[str],
    text: str,
    part: Object | None = None,
) -> list[str]:
    """Drops what the kind does not know; warnings about it, or a refusal under ``Strict``.

    ``part`` of it is what the patch may have changed; None: all.
    """
    changed = obj if part is None else part
    unknown = [] if validation == "Ignore" else typecheck.unknown_fields(changed, kind.schema)
    problems = [f'duplicate field "{path}"' for path in duplicates if validation != "Ignore"]
    problems += [f'unknown field "{path}"' for path in unknown]
    if problems and validation == "Strict":
        raise refused(text, "strict decoding error: " + ", ".join(problems))
    if unknown or validation == "Ignore":
        typecheck.drop_unknown(obj, kind.schema)
    return problems

"""From request bodies to objects, with Kubernetes' complaints about what is wrong with them.

Pure. Bodies are JSON or YAML; what does not fit the kind is refused, warned of or dropped, as
``fieldValidation`` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from hearth.cluster.codec import negotiate, protobuf, typecheck
from hearth.cluster.codec.yamlbody import (
    MAX_DEPTH,
    REPEATED,
    YamlError,
    load_yaml,
    warnings_of,
)
from hearth.cluster.model import status
from hearth.cluster.model.differences import changed_part
from hearth.cluster.model.fielderrors import invalid
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objects import Object
from hearth.kube import gojson

MAX_BODY = 3 * 1024 * 1024
"""As kube-apiserver's limit on request bodies, in bytes."""
_SUMMARY = 30
_DUPLICATES_LIMIT = 512 * 1024
"""Above this size a body is not searched for repeated fields: it would hold other requests up."""


def media_type(content_type: str, accepted: Sequence[str]) -> str:
    """The media type of a body, or 415."""
    media = negotiate.parse_media(content_type)[0] if content_type else negotiate.JSON
    if media not in accepted:
        raise status.unsupported_media_type(accepted)
    return media


def decode_body(body: bytes, content_type: str, kind_name: str) -> tuple[Any, list[str]]:
    """The value of a body, and what a strict reader says of fields that come twice."""
    media = media_type(content_type, negotiate.OFFERED)
    if media == negotiate.PROTOBUF:
        try:
            return protobuf.decode(body), []
        except protobuf.ProtobufError as error:
            raise _unrecognized(kind_name, str(error), body) from None
    if media == negotiate.YAML:
        try:
            value, repeated = load_yaml(body)
        except YamlError as error:
            raise _unrecognized(kind_name, str(error), body) from None
        return value, [repeated] if repeated else []
    try:
        value = load_json(body)
    except gojson.GoJsonError as error:
        problem = f"couldn't get version/kind; json parse error: {error}"
        raise _unrecognized(kind_name, problem, body) from None
    return value, [f'duplicate field "{path}"' for path in duplicate_fields(body, value)]


def load_json(body: bytes) -> Any:
    """The value of a JSON body; ``GoJsonError`` with the words of Go where it is none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise gojson.GoJsonError(gojson.syntax_error(body) or "not JSON") from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise gojson.GoJsonError(gojson.TOO_DEEP)
    return value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [item for parent in level for item in _items(parent)]
    return depth - 1


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _unrecognized(kind_name: str, problem: str, body: bytes) -> status.ApiStatus:
    return status.bad_request(
        f"the object provided is unrecognized (must be of type {kind_name}): "
        f"{problem} ({_summary(body)})"
    )


def _summary(body: bytes) -> str:
    if not body:
        return "<empty>"
    shown = body[:_SUMMARY]
    text = shown.decode("utf-8", "replace") if body.startswith(b"{") else shown.hex()
    return text + " ..." if len(body) > _SUMMARY else text


def decode_object(body: bytes, content_type: str, kind: Kind) -> tuple[Object, list[str]]:
    """The object of a create or update and its repeated fields; 400 where it is none."""
    value, duplicates = decode_body(body, content_type, kind.kind)
    if value is None and not kind.custom:
        value = {}  # Go reads null as an object without fields
    if not isinstance(value, dict):
        raise _unrecognized(kind.kind, _not_an_object(value), body)
    if kind.custom and not value.get("kind"):
        shown = orjson.dumps(value).decode()
        raise _unrecognized(kind.kind, f"Object 'Kind' is missing in '{shown}'", body)
    for field, expected in (("apiVersion", kind.api_version), ("kind", kind.kind)):
        if not value.get(field):
            value[field] = expected
    if value.get("metadata") is None:
        value["metadata"] = {}
    return value, duplicates


_TYPE_META = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
    'Kind string "json:\\"kind,omitempty\\"" }'
)
_GO_KINDS = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}


def _not_an_object(value: Any) -> str:
    shown = _GO_KINDS.get(type(value), "null")
    problem = f"json: cannot unmarshal {shown} into Go value of type {_TYPE_META}"
    return f"couldn't get version/kind; json parse error: {problem}"


class _Repeated(dict[str, Any]):
    """An object in which some names came twice."""

    names: list[str]


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeated, seen = _Repeated(members), set[str]()
    repeated.names = [name for name, _ in pairs if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    return repeated


def duplicate_fields(body: bytes, value: Any) -> list[str]:
    """Paths of the fields that a JSON body, which has this value, gives more than once."""
    if len(body) > _DUPLICATES_LIMIT or orjson.dumps(value) == body:  # nothing was lost
        return []
    paths: list[str] = []
    _collect(json.loads(body, object_pairs_hook=_pairs), "", paths)
    return paths


def _collect(value: Any, path: str, paths: list[str]) -> None:
    if isinstance(value, dict):
        if isinstance(value, _Repeated):
            paths += [f"{path}.{name}".removeprefix(".") for name in dict.fromkeys(value.names)]
        for name, item in value.items():
            _collect(item, f"{path}.{name}" if path else name, paths)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect(item, f"{path}[{index}]", paths)


def check_type(obj: Object, kind: Kind, *, is_builtin: bool) -> None:
    """Refuses an object of another version or kind than the request's path names.

    ``is_builtin`` says whether the object's own version and kind are built in.
    """
    api_version, name = str(obj["apiVersion"]), str(obj["kind"])
    if (api_version, name) == (kind.api_version, kind.kind):
        return
    is_version = is_builtin and name == kind.kind and api_version.startswith(f"{kind.group}/")
    if not kind.custom and not is_version:
        raise _cannot_handle(obj, kind, other_kind(obj, kind, is_builtin=is_builtin))
    if api_version != kind.api_version:
        raise status.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version "
            f"({kind.api_version})"
        )
    if kind.custom:
        name_given = str((obj.get("metadata") or {}).get("name", ""))
        errors = [invalid("kind", name, f"must be {kind.kind}")]
        raise status.invalid(kind.group, name, name_given, errors=errors)


def other_kind(obj: Object, kind: Kind, *, is_builtin: bool) -> str:
    """What Go says of an object that is none of the built-in ``kind``."""
    api_version, name = str(obj["apiVersion"]), str(obj["kind"])
    if not is_builtin:
        return _not_registered(api_version, name)
    package = kind.group.partition(".")[0] or "core"
    was, into = _go_type(api_version, name), f"{package}.{kind.kind}"
    return f"converting ({was}) to ({into}): unknown conversion"


def _go_type(api_version: str, kind: str) -> str:
    return f"{api_version.rpartition('/')[2]}.{kind}"


_SCHEME = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"


def _not_registered(api_version: str, kind: str) -> str:
    return f'no kind "{kind}" is registered for version "{api_version}" in scheme "{_SCHEME}"'


def _cannot_handle(obj: Object, kind: Kind, problem: str) -> status.ApiStatus:
    version = str(obj["apiVersion"]).rpartition("/")[2]
    return status.bad_request(
        f'{obj["kind"]} in version "{version}" cannot be handled as a {kind.kind}: {problem}'
    )


def unknown_version_warnings(obj: Object) -> list[str]:
    """The schema of a version that is not served: nothing is known of it but its metadata."""
    known = ("apiVersion", "kind", "metadata")
    return [f'unknown field "{field}"' for field in obj if field not in known]


def copied(obj: Object) -> Object:
    """A deep copy of an object that came from JSON; several times faster than ``deepcopy``."""
    copy: Object = orjson.loads(orjson.dumps(obj))
    return copy


def check_fields(
    obj: Object,
    kind: Kind,
    *,
    validation: str,
    duplicates: Sequence[str],
    known: Object | None = None,
) -> tuple[Object, list[str]]:
    """The object without the fields its kind does not know, and warnings about them.

    Wrong types are always refused; unknown and repeated fields only under ``Strict``. What the
    object has in common with ``known``, one that is stored, is in order.
    """
    part = obj if known is None else changed_part(obj, known)
    problems = typecheck.decode_errors(part, kind.schema, kind.kind)
    if problems:
        raise _cannot_handle(obj, kind, problems[0])
    if validation == "Ignore":
        typecheck.drop_unknown(obj, kind.schema)
        return obj, []
    unknown = [f'unknown field "{path}"' for path in typecheck.unknown_fields(part, kind.schema)]
    of_text = [complaint for complaint in duplicates if complaint.startswith(REPEATED)]
    strict = of_text + unknown + [text for text in duplicates if text not in of_text]
    if strict and validation == "Strict":
        raise _cannot_handle(obj, kind, "strict decoding error: " + ", ".join(strict))
    if strict:
        typecheck.drop_unknown(obj, kind.schema)
    return obj, [warning for complaint in strict for warning in warnings_of(complaint)]

"""JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386) on plain values, and a small diff."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class PatchError(ValueError):
    """The patch does not fit the document; the text says where."""


class CopyLimitError(PatchError):
    """The patch copies more than it may: copies of copies double with each operation."""


def merge_patch(document: Any, patch: Any) -> Any:
    """Return the document with the merge patch applied (RFC 7386, 2); nothing is changed."""
    if not isinstance(patch, Mapping):
        return deepcopy(patch)
    result = dict(document) if isinstance(document, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def create_merge_patch(before: Any, after: Any) -> dict[str, Any]:
    """Return the smallest merge patch that turns one object into the other."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if name in before and old == value:
            continue
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            patch[name] = create_merge_patch(old, value)
        else:
            patch[name] = value
    return patch


def json_patch(
    document: Any, operations: Sequence[Mapping[str, Any]], *, copy_limit: int | None = None
) -> Any:
    """Return the document with all operations applied in order; raise ``PatchError``.

    ``copy_limit`` bounds the characters of JSON that all ``copy`` operations add together.
    """
    result, copied = deepcopy(document), 0
    for operation in operations:
        if copy_limit is not None and operation.get("op") == "copy":
            copied += _copy_size(result, operation)
            if copied > copy_limit:
                raise CopyLimitError(
                    "Unable to complete the copy, the accumulated size increase of copy is "
                    f"{copied}, exceeding the limit {copy_limit}"
                )
        result = _apply(result, operation)
    return result


def _copy_size(document: Any, operation: Mapping[str, Any]) -> int:
    try:
        return len(json.dumps(_lookup(document, _tokens(operation.get("from")))))
    except RecursionError:
        raise PatchError("exceeded max depth") from None


def _apply(document: Any, operation: Mapping[str, Any]) -> Any:
    kind, path = operation.get("op"), _tokens(operation.get("path"))
    match kind:
        case "add":
            return _add(document, path, deepcopy(_value(operation)))
        case "remove":
            return _remove(document, path)
        case "replace":
            _lookup(document, path)
            return _replace(document, path, deepcopy(_value(operation)))
        case "move":
            origin = _tokens(operation.get("from"))
            if path[: len(origin)] == origin and path != origin:
                raise PatchError("a location cannot be moved into one of its children")
            moved = _lookup(document, origin)
            return _add(_remove(document, origin), path, moved)
        case "copy":
            return _add(document, path, deepcopy(_lookup(document, _tokens(operation.get("from")))))
        case "test":
            if not _same(_lookup_or_none(document, path), _value(operation)):
                raise PatchError(f"testing value {operation.get('path')} failed")
            return document
    raise PatchError(f"Unexpected kind: {kind}")


def _value(operation: Mapping[str, Any]) -> Any:
    if "value" not in operation:
        raise PatchError(f"{operation.get('op')} operation without a value")
    return operation["value"]


def _tokens(pointer: Any) -> list[str]:
    """Return the reference tokens of a JSON pointer (RFC 6901)."""
    if pointer == "":
        return []
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise PatchError(f"{pointer!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def _index(array: list[Any], token: str, *, end: bool) -> int:
    if token == "-" and end:
        return len(array)
    digits = token.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or (digits != "0" and digits.startswith("0")):
        raise PatchError(f"{token!r} is not an array index")
    index = int(token)
    if not 0 <= index < len(array) + end:
        raise PatchError(f"Unable to access invalid index: {index}")
    return index


def _lookup(document: Any, path: Sequence[str]) -> Any:
    value = document
    for token in path:
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list):
            value = value[_index(value, token, end=False)]
        else:
            raise PatchError(f"doc is missing key: /{'/'.join(path)}")
    return value


def _lookup_or_none(document: Any, path: Sequence[str]) -> Any:
    try:
        return _lookup(document, path)
    except PatchError:
        return None


def _same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _add(document: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent = _lookup(document, path[:-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        parent.insert(_index(parent, path[-1], end=True), value)
    else:
        raise PatchError(f"add operation does not apply: /{'/'.join(path)}")
    return document


def _replace(document: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent = _lookup(document, path[:-1])
    if isinstance(parent, list):
        parent[_index(parent, path[-1], end=False)] = value
    else:
        parent[path[-1]] = value
    return document


def _remove(document: Any, path: Sequence[str]) -> Any:
    _lookup(document, path)
    if not path:
        return None
    parent = _lookup(document, path[:-1])
    if isinstance(parent, list):
        del parent[_index(parent, path[-1], end=False)]
    else:
        del parent[path[-1]]
    return document


def create_json_patch(before: Any, after: Any, *, at: str = "") -> list[dict[str, Any]]:
    """Operations that turn one value into the other; objects by member, lists as a whole."""
    if _same(before, after):
        return []
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [{"op": "replace", "path": at, "value": after}]
    operations: list[dict[str, Any]] = []
    for name in sorted(before.keys() | after.keys()):
        path = f"{at}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in after:
            operations.append({"op": "remove", "path": path})
        elif name not in before:
            operations.append({"op": "add", "path": path, "value": after[name]})
        else:
            operations += create_json_patch(before[name], after[name], at=path)
    return operations

"""Strategic merge patch: JSON merge patch that knows lists with keys. Pure; called by PATCH.

Follows ``k8s.io/apimachinery/pkg/util/strategicpatch``: directives ``$patch`` (replace, merge,
delete), ``$retainKeys``, ``$deleteFromPrimitiveList/FIELD`` and ``$setElementOrder/FIELD``; lists
are merged where the schema says ``x-kubernetes-patch-strategy: merge``, replaced elsewhere.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from hearth.cluster.codec.structconvert import go_text
from hearth.cluster.model.kind import Object, Schema

DIRECTIVE = "$patch"
RETAIN_KEYS = "$retainKeys"
DELETE_FROM_LIST = "$deleteFromPrimitiveList/"
SET_ELEMENT_ORDER = "$setElementOrder/"
_NO_SCHEMA: Schema = {}


class PatchError(ValueError):
    """The patch itself is wrong; the message is meant for the client."""


class BadFormat(PatchError):
    """A directive is not written as it must be (400)."""


def strategic_merge(current: Mapping[str, Any], patch: Mapping[str, Any], schema: Schema) -> Object:
    """``current`` with ``patch`` applied; neither argument is changed."""
    return _merge_object(copy.deepcopy(dict(current)), copy.deepcopy(dict(patch)), schema)


def _merge_object(current: Object, patch: Object, schema: Schema) -> Object:
    directive = patch.pop(DIRECTIVE, None)
    if directive == "replace":
        return _merge_object({}, patch, _NO_SCHEMA)
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise _unknown_type(directive, patch)
    _retain_keys(current, patch)
    _merge_ordered_lists(current, patch, schema)
    for key, value in patch.items():
        name = key.removeprefix(DELETE_FROM_LIST)
        if name != key:
            _delete_from_list(current, name, value)
        elif value is None:
            current.pop(key, None)
        else:
            current[key] = _merge_value(current.get(key), value, _child(schema, key))
    return current


_BAD_RETAIN_KEYS = "invalid patch format of retainKeys"


def _unknown_type(directive: Any, patch: Object) -> PatchError:
    return PatchError(f"unknown patch type: {directive} in map: {go_text(patch)}")


def _retain_keys(current: Object, patch: Object) -> None:
    retain = patch.pop(RETAIN_KEYS, None)
    if retain is None:
        return
    if not isinstance(retain, list):
        raise BadFormat(_BAD_RETAIN_KEYS)
    for key in patch:
        if not key.startswith("$") and patch[key] is not None and key not in retain:
            raise BadFormat(_BAD_RETAIN_KEYS)
    for key in list(current):
        if key not in retain:
            del current[key]


def _merge_value(current: Any, patch: Any, schema: Schema) -> Any:
    if isinstance(patch, dict):
        if "replace" in _strategies(schema):
            return _without_directives(patch)
        return _merge_object(current if isinstance(current, dict) else {}, patch, schema)
    if isinstance(patch, list):
        if "merge" in _strategies(schema):
            return _merge_list(current if isinstance(current, list) else [], patch, schema)
        return [_without_directives(item) for item in patch]
    return patch


def _child(schema: Schema, key: str) -> Schema:
    known = (schema.get("properties") or {}).get(key)
    if known is None:
        known = schema.get("additionalProperties")
    return known if isinstance(known, Mapping) else _NO_SCHEMA


def _strategies(schema: Schema) -> list[str]:
    return str(schema.get("x-kubernetes-patch-strategy", "")).split(",")


def _without_directives(value: Any) -> Any:
    """A patch value that meets nothing to merge with: no directive and no null stays in it."""
    if isinstance(value, dict):
        return _merge_object({}, value, _NO_SCHEMA)
    if isinstance(value, list):
        items = [v for v in value if not (isinstance(v, dict) and DIRECTIVE in v)]
        return [_without_directives(item) for item in items]
    return value


def _delete_from_list(current: Object, key: str, values: Any) -> None:
    if isinstance(current.get(key), list) and isinstance(values, list):
        current[key] = [item for item in current[key] if item not in values]


# -- Lists ---------------------------------------------------------------------------------


def _merge_list(current: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    if not current and not patch:
        return current
    if not all(isinstance(item, dict) for item in [*current, *patch]):
        merged = list(dict.fromkeys([*current, *patch]))
        return _in_order(merged, desired=patch, live=current, identity=_itself)
    key = schema.get("x-kubernetes-patch-merge-key")
    if not key:
        raise PatchError("cannot merge lists without merge key")
    current, patch, replace = _apply_directives(current, patch, key)
    if replace:
        return patch
    merged = _merge_items(list(current), patch, key=key, schema=schema.get("items") or _NO_SCHEMA)
    return _in_order(merged, desired=patch, live=current, identity=lambda item: item.get(key))


def _apply_directives(
    current: list[Any], patch: list[Any], key: str
) -> tuple[list[Any], list[Any], bool]:
    """Elements with ``$patch`` taken out of the patch; deletions done; whether to replace all."""
    plain, replace = [], False
    for item in patch:
        match item.get(DIRECTIVE):
            case None:
                plain.append(item)
            case "replace":
                replace = True
            case "delete":
                gone = _key_of(item, key)
                current = [other for other in current if other.get(key) != gone]
            case "merge":
                raise PatchError("merging lists cannot yet be specified in the patch")
            case other:
                raise _unknown_type(other, item)
    if replace:
        plain = [_without_directives(item) for item in plain]
    return current, plain, replace


def _key_of(item: Object, key: str) -> Any:
    if key not in item:
        raise PatchError(f"map: {go_text(item)} does not contain declared merge key: {key}")
    return item[key]


def _merge_items(merged: list[Any], patch: list[Any], *, key: str, schema: Schema) -> list[Any]:
    for item in patch:
        key_value = _key_of(item, key)
        index = next((i for i, other in enumerate(merged) if other.get(key) == key_value), None)
        if index is None:
            merged.append(_merge_object({}, dict(item), schema))
        else:
            merged[index] = _merge_object(merged[index], dict(item), schema)
    return merged


# -- Order of merged lists -----------------------------------------------------------------

Identity = Callable[[Any], Any]


def _itself(item: Any) -> Any:
    return item


def _merge_ordered_lists(current: Object, patch: Object, schema: Schema) -> None:
    """Lists whose order the patch prescribes with ``$setElementOrder/FIELD``."""
    for directive in [key for key in patch if key.startswith(SET_ELEMENT_ORDER)]:
        order = patch.pop(directive)
        name = directive.removeprefix(SET_ELEMENT_ORDER)
        changes, live = patch.pop(name, None), current.get(name)
        child = _child(schema, name)
        live_list = live if isinstance(live, list) else []
        merged = live_list
        if isinstance(changes, list):
            _check_order(changes, order, key=child.get("x-kubernetes-patch-merge-key"))
            merged = _merge_value(copy.deepcopy(live_list), changes, child)
        for value in _listed(patch, DELETE_FROM_LIST + name):
            merged = [item for item in merged if item != value]
        if not merged and live is None and changes is None:
            continue
        key = child.get("x-kubernetes-patch-merge-key")
        identity = _identity(key, order)
        desired = order if isinstance(order, list) else []
        current[name] = _in_order(merged, desired=desired, live=live_list, identity=identity)


def _check_order(changes: list[Any], order: Any, *, key: str | None) -> None:
    """The patched items must stand in the order that the directive prescribes."""
    if not isinstance(order, list):
        raise BadFormat("invalid patch format of setElementOrder list")
    if not order or not changes:
        return
    rest = iter(order)
    for item in changes:
        if isinstance(item, dict):
            if item.get(DIRECTIVE) == "delete":
                continue
            is_next = any(other.get(key) == item.get(key) for other in rest)
        else:
            is_next = any(other == item for other in rest)
        if not is_next:
            raise PatchError(
                f"The order in patch list:\n{go_text(changes)}\n doesn't match "
                f"$setElementOrder list:\n{go_text(order)}\n"
            )


def _listed(patch: Object, directive: str) -> list[Any]:
    values = patch.pop(directive, None)
    return values if isinstance(values, list) else []


def _identity(key: str | None, order: Any) -> Identity:
    of_maps = isinstance(order, list) and any(isinstance(item, dict) for item in order)
    if not of_maps:
        return _itself
    if not key:
        raise PatchError("cannot merge lists without merge key")
    return lambda item: item.get(key) if isinstance(item, dict) else item


def _in_order(
    merged: list[Any], *, desired: list[Any], live: list[Any], identity: Identity
) -> list[Any]:
    """Items named by the patch in its order, the others in theirs, the two interleaved.

    An item only the server has goes before the first patched item that followed it in the live
    list; where the live list does not say, patched items come first.
    """
    places = [identity(item) for item in desired]
    live_places = [identity(item) for item in live]
    named = [item for item in merged if identity(item) in places]
    named.sort(key=lambda item: places.index(identity(item)))
    others = [item for item in merged if identity(item) not in places]
    others.sort(key=lambda item: _index(live_places, identity(item)))
    result: list[Any] = []
    while named and others:
        left = _index(live_places, identity(others[0]))
        right = _index(live_places, identity(named[0]))
        comes_first = 0 <= left < right
        result.append(others.pop(0) if comes_first else named.pop(0))
    return result + named + others


def _index(places: list[Any], place: Any) -> int:
    return places.index(place) if place in places else -1

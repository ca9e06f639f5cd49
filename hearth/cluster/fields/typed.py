"""Walking objects by schema: which fields there are, what differs, merging, removing.

The semantics are those of Kubernetes' structured merge: scalars and atomic maps or lists are
leaves; items of associative lists are told apart by key or value. Pure; used by ``updates``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hearth.cluster.fields.atoms import Atom, ListAtom, MapAtom
from hearth.cluster.fields.fieldset import FieldSet, key_element, path_text, value_element
from hearth.cluster.model.differences import is_exactly
from hearth.cluster.model.fielderrors import go_type

JSON = Any


class _Absent:
    """Marks a side that has no value at all, which is not the same as null."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


class TypedError(ValueError):
    """An object does not fit its schema, so its fields cannot be told apart."""


def _deduce(atom: Atom, value: JSON) -> ListAtom | MapAtom | str | None:
    """The shape of a value: its list or map atom, or the name of a scalar type."""
    if isinstance(value, dict):
        if atom.map is not None:
            return atom.map
    elif isinstance(value, list):
        if atom.list is not None:
            return atom.list
    elif value is not None and value is not ABSENT and atom.scalar is not None:
        return atom.scalar
    return atom.map or atom.scalar or atom.list


def item_element(atom: ListAtom, item: JSON) -> str:
    """The path element of an item of an associative list."""
    if not atom.keys:
        if isinstance(item, dict):
            raise TypedError("associative list without keys has an element that's a map type")
        if isinstance(item, list):
            raise TypedError("not supported: associative list with lists as elements")
        if item is None:
            raise TypedError("associative list without keys has an element that's an explicit null")
        return value_element(item)
    if item is None:
        raise TypedError("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise TypedError("associative list with keys may not have non-map elements")
    keys = {}
    for name in atom.keys:
        value = item[name] if name in item else atom.key_default(name)
        if value is not None or name in item:
            keys[name] = value
    if not keys:
        names = " ".join(f'"{name}"' for name in atom.keys)
        raise TypedError(
            f"associative list with keys has an element that omits all key fields [{names}] "
            "(and doesn't have default values for any key fields)"
        )
    return key_element(keys)


# -- the set of fields of an object --------------------------------------------------------


def field_set(atom: Atom, value: JSON) -> FieldSet:
    """The fields that an applied object names."""
    result = FieldSet()
    _collect(atom, value, result)
    return result


def _collect(atom: Atom, value: JSON, into: FieldSet) -> bool:
    """Adds the fields below a value to ``into``; True when the value itself is a leaf."""
    shape = _deduce(atom, value)
    if isinstance(shape, MapAtom):
        if shape.atomic:
            return True
        for key, child in (value or {}).items() if isinstance(value, dict) else ():
            _collect_field(shape, key, child, into=into)
        return False
    if isinstance(shape, ListAtom):
        if shape.atomic:
            return True
        if isinstance(value, list):
            _collect_items(shape, value, into)
        return False
    return True


def _collect_field(shape: MapAtom, key: str, child: JSON, *, into: FieldSet) -> None:
    element = "f:" + key
    inner = FieldSet()
    leaf = _collect(_at(shape, key), child, inner)
    if leaf or child is None or child == {} or not shape.has_field(key):
        into.members.add(element)
    if inner:
        into.children[element] = inner


def _collect_items(shape: ListAtom, items: Sequence[JSON], into: FieldSet) -> None:
    elements = [item_element(shape, item) for item in items]
    counts = Counter(elements)
    for element, item in zip(elements, items, strict=True):
        into.members.add(element)
        if counts[element] > 1:  # duplicates are owned as one, without their content
            continue
        inner = FieldSet()
        _collect(shape.element, item, inner)
        if inner:
            into.children[element] = inner


def _at(shape: MapAtom, key: str) -> Atom:
    atom = shape.at(key)
    if atom is None:
        raise TypedError(f".{key}: field not declared in schema")
    return atom


# -- comparing two objects -----------------------------------------------------------------


@dataclass(slots=True)
class Comparison:
    """What the right side changed; no path is in two of the sets."""

    removed: FieldSet = field(default_factory=FieldSet)
    modified: FieldSet = field(default_factory=FieldSet)
    added: FieldSet = field(default_factory=FieldSet)

    def excluding(self, fields: FieldSet) -> Comparison:
        """The comparison without these fields and what is below them."""
        if not fields:
            return self
        return Comparison(
            self.removed.recursive_difference(fields),
            self.modified.recursive_difference(fields),
            self.added.recursive_difference(fields),
        )


def compare(atom: Atom, left: JSON, right: JSON) -> Comparison:
    """Which fields were removed, modified and added from ``left`` to ``right``."""
    result = Comparison()
    _Comparer(result).compare(atom, left, right, path=())
    return result


class _Comparer:
    def __init__(self, result: Comparison) -> None:
        self._result = result

    def compare(self, atom: Atom, left: JSON, right: JSON, *, path: tuple[str, ...]) -> None:
        if left is ABSENT:
            _insert_whole(self._result.added, path, atom, right)
            return
        if right is ABSENT:
            _insert_whole(self._result.removed, path, atom, left)
            return
        left_shape, right_shape = _deduce(atom, left), _deduce(atom, right)
        if left_shape is not right_shape:  # the type changed, where the schema leaves it open
            self._visit(left_shape, left, right, path=path)
        self._visit(right_shape, left, right, path=path)

    def _visit(
        self,
        shape: ListAtom | MapAtom | str | None,
        left: JSON,
        right: JSON,
        *,
        path: tuple[str, ...],
    ) -> None:
        """Compares two values that are both there by one shape."""
        if isinstance(shape, MapAtom):
            if not (shape.atomic or (_empty(left, dict) and _empty(right, dict))):
                self._fields(shape, left, right, path=path)
                return
        elif isinstance(shape, ListAtom) and not (
            shape.atomic or (_empty(left, list) and _empty(right, list))
        ):
            self._items(shape, left, right, path=path)
            return
        if not same(left, right):
            self._result.modified.insert(path)

    def _fields(self, shape: MapAtom, left: JSON, right: JSON, *, path: tuple[str, ...]) -> None:
        left = left if isinstance(left, dict) else {}
        right = right if isinstance(right, dict) else {}
        for key, value in right.items():
            other = left.get(key, ABSENT)
            if other is ABSENT or not is_exactly(other, value):
                self.compare(_at(shape, key), other, value, path=(*path, "f:" + key))
        for key, value in left.items():
            if key not in right:
                self.compare(_at(shape, key), value, ABSENT, path=(*path, "f:" + key))

    def _items(self, shape: ListAtom, left: JSON, right: JSON, *, path: tuple[str, ...]) -> None:
        before, after = _group(shape, left), _group(shape, right)
        for element in dict.fromkeys((*before, *after)):
            old, new = before.get(element, []), after.get(element, [])
            here = (*path, element)
            if len(old) <= 1 and len(new) <= 1:
                self._item(shape, old, new, path=here)
            elif len(old) > 1 and len(new) > 1:
                if not same(old, new):
                    self._result.modified.insert(here)
            elif len(old) > 1:  # duplicates are gone: what is left counts as new
                if new:
                    self._item(shape, [], new, path=here)
                self._result.removed.insert(here)
            else:  # duplicates appeared: only the item as a whole is owned from now on
                if old:
                    self._item(shape, old, [], path=here)
                self._result.added.insert(here)

    def _item(
        self, shape: ListAtom, old: list[JSON], new: list[JSON], *, path: tuple[str, ...]
    ) -> None:
        left, right = old[0] if old else ABSENT, new[0] if new else ABSENT
        self.compare(shape.element, left, right, path=path)


def _insert_whole(into: FieldSet, path: tuple[str, ...], atom: Atom, value: JSON) -> None:
    """Adds a path and everything below it: a value that only one side has."""
    into.insert(path)
    below = _everything(atom, value)
    if below:
        node = into
        for element in path:
            node = node.descend(element)
        node.members |= below.members
        node.children |= below.children


def _everything(atom: Atom, value: JSON) -> FieldSet:
    """All fields below a value, structs and leaves alike."""
    shape = _deduce(atom, value)
    below = FieldSet()
    if isinstance(shape, MapAtom):
        if not shape.atomic and isinstance(value, dict):
            for key, child in value.items():
                _add_whole(below, "f:" + key, _at(shape, key), child)
    elif isinstance(shape, ListAtom) and not shape.atomic:
        for element, items in _group(shape, value).items():
            if len(items) == 1:
                _add_whole(below, element, shape.element, items[0])
            else:
                below.members.add(element)
    return below


def _add_whole(into: FieldSet, element: str, atom: Atom, value: JSON) -> None:
    into.members.add(element)
    if isinstance(value, (dict, list)) and value:
        inner = _everything(atom, value)
        if inner.members:
            into.children[element] = inner


def _empty(value: JSON, kind: type) -> bool:
    return not isinstance(value, kind) or not value


def _group(shape: ListAtom, items: JSON) -> dict[str, list[JSON]]:
    groups: dict[str, list[JSON]] = {}
    for item in items if isinstance(items, list) else ():
        groups.setdefault(item_element(shape, item), []).append(item)
    return groups


def same(left: JSON, right: JSON) -> bool:
    """Equality of JSON values: ``1`` equals ``1.0`` but not ``true``."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(v, right[k]) for k, v in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


# -- checking ------------------------------------------------------------------------------


def check(atom: Atom, value: JSON, *, allow_duplicates: bool, path: str = "") -> list[str]:
    """What keeps an object from being walked by its schema, as messages with paths."""
    shape = _deduce(atom, value)
    if isinstance(shape, MapAtom):
        return _check_map(shape, value, allow_duplicates=allow_duplicates, path=path)
    if isinstance(shape, ListAtom):
        return _check_list(shape, value, allow_duplicates=allow_duplicates, path=path)
    return [_located(path, m) for m in _check_scalar(shape or "untyped", value)]


def _located(path: str, message: str) -> str:
    return f"{path}: {message}" if path else message


def _check_map(shape: MapAtom, value: JSON, *, allow_duplicates: bool, path: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, dict):
        return [_located(path, f"expected map, got {_go_value(value)}")]
    errors: list[str] = []
    for key, child in value.items():
        atom, here = shape.at(key), f"{path}.{key}"
        if atom is None:
            return [*errors, f"{here}: field not declared in schema"]
        errors += check(atom, child, allow_duplicates=allow_duplicates, path=here)
    return errors


def _check_list(shape: ListAtom, value: JSON, *, allow_duplicates: bool, path: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        return [_located(path, f"expected list, got {_go_value(value)}")]
    errors: list[str] = []
    seen: set[str] = set()
    for index, item in enumerate(value):
        if shape.atomic:
            text = f"[{index}]"
        else:
            try:
                element = item_element(shape, item)
            except TypedError as error:
                return [*errors, _located(path, f"element {index}: {error}")]
            text = path_text((element,))
            if element in seen and not allow_duplicates:
                errors.append(_located(path, f"duplicate entries for key {text}"))
            seen.add(element)
        errors += check(shape.element, item, allow_duplicates=allow_duplicates, path=path + text)
    return errors


def _check_scalar(kind: str, value: JSON) -> list[str]:
    if value is None:
        return []
    if kind == "string":
        if isinstance(value, str):
            return []
        return [f"expected string, got &value.valueUnstructured{{Value:{_go_syntax(value)}}}"]
    if kind == "number":
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return []
        return [f"expected numeric (int or float), got {go_type(value)}"]
    if kind == "boolean":
        return [] if isinstance(value, bool) else [f"expected boolean, got {_go_value(value)}"]
    if isinstance(value, (int, float, str, bool)):
        return []
    return [f"expected any scalar, got {_go_value(value)}"]


def _go_syntax(value: JSON) -> str:
    """A value as Go's %#v prints it."""
    if isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(k)}:{_go_syntax(v)}" for k, v in sorted(value.items()))
        return f"{go_type(value)}{{{inner}}}"
    if isinstance(value, list):
        return f"{go_type(value)}{{{', '.join(map(_go_syntax, value))}}}"
    return "interface {}(nil)" if value is None else str(value)


def _go_value(value: JSON) -> str:
    """A pointer to a value as Go's %v prints it."""
    return f"&{{{_go_plain(value)}}}"


def _go_plain(value: JSON) -> str:
    if isinstance(value, dict):
        return f"map[{' '.join(f'{k}:{_go_plain(v)}' for k, v in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go_plain, value))}]"
    if isinstance(value, bool):
        return json.dumps(value)
    return "<nil>" if value is None else str(value)

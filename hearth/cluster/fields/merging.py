"""Merging an applied object into the live one, and removing what nobody applies any more.

The other half of ``typed``: these walks build new objects. Pure; used by ``updates``.
"""

from __future__ import annotations

from typing import Any

from hearth.cluster.fields.atoms import Atom, ListAtom, MapAtom
from hearth.cluster.fields.fieldset import FieldSet
from hearth.cluster.fields.typed import ABSENT, TypedError, _at, _deduce, _empty, item_element

JSON = Any


def merge(atom: Atom, live: JSON, applied: JSON) -> JSON:
    """The live value with the applied one laid over it; ABSENT when neither says anything."""
    if applied is ABSENT:
        return live
    shape = _deduce(atom, applied)
    if live is not ABSENT and _deduce(atom, live) is not shape:
        live = ABSENT  # another type than before, where the schema leaves it open
    if isinstance(shape, MapAtom):
        if shape.atomic or (_empty(live, dict) and _empty(applied, dict)):
            return applied
        return _merge_fields(shape, live, applied)
    if isinstance(shape, ListAtom):
        if shape.atomic or (_empty(live, list) and _empty(applied, list)):
            return applied
        return _merge_items(shape, live, applied)
    return applied


def _merge_fields(shape: MapAtom, live: JSON, applied: JSON) -> JSON:
    live = live if isinstance(live, dict) else {}
    applied = applied if isinstance(applied, dict) else {}
    out = {}
    for key in dict.fromkeys((*live, *applied)):
        value = merge(_at(shape, key), live.get(key, ABSENT), applied.get(key, ABSENT))
        if value is not ABSENT:
            out[key] = value
    return out or ABSENT


def _index(shape: ListAtom, items: JSON, *, unique: bool) -> tuple[list[str], dict[str, JSON]]:
    order: list[str] = []
    values: dict[str, JSON] = {}
    for item in items if isinstance(items, list) else ():
        element = item_element(shape, item)
        if element in values:
            if unique:
                raise TypedError(f"duplicate entries for key {element}")
            values[element] = None  # a duplicated item is replaced, not merged
        else:
            values[element] = item
        order.append(element)
    return order, values


def _merge_items(shape: ListAtom, live: JSON, applied: JSON) -> JSON:
    """Items in an order that keeps the applier's order and, beside it, that of the others."""
    left, left_values = _index(shape, live, unique=False)
    right, right_values = _index(shape, applied, unique=True)
    out = []
    for source, element, position in _interleave(left, right):
        if source == "live":
            out.append(live[position])
            continue
        merged = merge(
            shape.element, left_values.get(element, ABSENT), right_values.get(element, ABSENT)
        )
        if merged is not ABSENT:
            out.append(merged)
    return out or ABSENT


def _interleave(left: list[str], right: list[str]) -> list[tuple[str, str, int]]:
    """Walks both orders at once: (source, element, position in the live list)."""
    return _Interleaving(left, right).run()


class _Interleaving:
    """Items that the applier names come in its order; the others stay behind their neighbours."""

    def __init__(self, left: list[str], right: list[str]) -> None:
        self._left, self._right = left, right
        self._in_right = set(right)
        in_left = set(left)
        self._shared = [element for element in right if element in in_left]
        self._next_shared = 0
        self._merged: set[str] = set()
        self._out: list[tuple[str, str, int]] = []
        self._i = self._j = 0

    def run(self) -> list[tuple[str, str, int]]:
        while self._i < len(self._left) or self._j < len(self._right):
            if not self._step_both():
                self._step_one()
        return self._out

    def _step_both(self) -> bool:
        if self._i >= len(self._left) or self._j >= len(self._right):
            return False
        mine = self._left[self._i]
        if mine == self._right[self._j]:
            self._take_right()
            self._i += 1
            return True
        waiting = self._next_shared < len(self._shared)
        if mine in self._in_right and waiting and self._shared[self._next_shared] != mine:
            self._i += 1  # its turn comes with another item of the applier
            return True
        return False

    def _step_one(self) -> None:
        if self._i < len(self._left):
            mine = self._left[self._i]
            if mine not in self._in_right:
                self._out.append(("live", mine, self._i))
                self._i += 1
                return
            if mine in self._merged:
                self._i += 1
        if self._j < len(self._right):
            self._take_right()

    def _take_right(self) -> None:
        element = self._right[self._j]
        self._merged.add(element)
        self._out.append(("both", element, self._i))
        self._j += 1
        if self._next_shared < len(self._shared) and self._shared[self._next_shared] == element:
            self._next_shared += 1


def remove(atom: Atom, value: JSON, fields: FieldSet, *, emptied: bool = False) -> JSON:
    """The value without the given fields; ABSENT when nothing of it is left.

    Inside, what has lost its whole content becomes null, as in Kubernetes' own walk. With
    ``emptied`` it becomes an empty map or list, which, other than null, fits every schema.
    """
    shape = _deduce(atom, value)
    if isinstance(shape, MapAtom):
        return _remove_fields(shape, value, fields, emptied=emptied)
    if isinstance(shape, ListAtom):
        return _remove_items(shape, value, fields, emptied=emptied)
    return value


def _remove_fields(shape: MapAtom, value: JSON, fields: FieldSet, *, emptied: bool) -> JSON:
    if not isinstance(value, dict) or not value or shape.atomic:
        return ABSENT
    out = {}
    for key, child in value.items():
        element = "f:" + key
        if element not in fields.members:
            inner = fields.children.get(element)
            out[key] = _inner(_at(shape, key), child, inner, emptied=emptied)
    return out or ABSENT


def _remove_items(shape: ListAtom, value: JSON, fields: FieldSet, *, emptied: bool) -> JSON:
    if not isinstance(value, list) or not value or shape.atomic:
        return ABSENT
    out = []
    for item in value:
        element = item_element(shape, item)
        if element not in fields.members:
            inner = fields.children.get(element)
            out.append(_inner(shape.element, item, inner, emptied=emptied))
    return out or ABSENT


def _inner(atom: Atom, value: JSON, fields: FieldSet | None, *, emptied: bool) -> JSON:
    if not fields:
        return value
    rest = remove(atom, value, fields, emptied=emptied)
    if rest is not ABSENT:
        return rest
    return type(value)() if emptied and isinstance(value, (dict, list)) else None


def with_named_fields(atom: Atom | None, fields: FieldSet) -> FieldSet:
    """The set with the struct fields on the way to its members as members too.

    Named fields of structs are usually left out of sets; removal needs them.
    """
    shape = atom.map if atom else None
    members = set(fields.members)
    children = {}
    for element, child in fields.children.items():
        inner: Atom | None = None
        if element[0] == "f":
            name = element[2:]
            if shape is not None:
                inner = shape.at(name)
                if shape.has_field(name):
                    members.add(element)
        elif element[0] == "k" and atom is not None and atom.list is not None:
            inner = atom.list.element
        children[element] = with_named_fields(inner, child)
    return FieldSet(members, children)


def fitted(atom: Atom, fields: FieldSet) -> FieldSet:
    """The set after fields became atomic in the schema: owned as a whole, without their parts."""
    remove_set, add_set = FieldSet(), FieldSet()
    _find_atomic(atom, fields, path=(), targets=(remove_set, add_set))
    if not remove_set:
        return fields
    return fields.recursive_difference(remove_set).union(add_set)


def _find_atomic(
    atom: Atom, fields: FieldSet, *, path: tuple[str, ...], targets: tuple[FieldSet, FieldSet]
) -> None:
    shape = atom.map or (None if atom.scalar else atom.list)
    if shape is None or (isinstance(shape, MapAtom) and shape.is_deduced):
        return
    if path and shape.atomic and fields:
        for target in targets:
            target.insert(path)
        return
    for element, child in fields.children.items():
        if isinstance(shape, MapAtom):
            inner = shape.at(element[2:]) if element[0] == "f" else None
        else:
            inner = shape.element
        if inner is not None:
            _find_atomic(inner, child, path=(*path, element), targets=targets)

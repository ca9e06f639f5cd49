"""Sets of field paths, and the FieldsV1 form in which managed fields are stored.

A path element is kept in its stored spelling, so reading and writing FieldsV1 costs little:
``f:name`` (a field), ``k:{"name":"c"}`` (an item of a keyed list), ``v:"x"`` (an item of a set),
``i:0`` (an index). Membership of a parent and of its children are independent facts: ``a.b`` in a
set says nothing about ``a``. Sets are never changed once another set may share their nodes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Path = tuple[str, ...]

_SELF = "."


class FieldSet:
    """A tree of path elements: ``members`` end a path here, ``children`` go on."""

    __slots__ = ("children", "members")

    def __init__(
        self, members: Iterable[str] = (), children: Mapping[str, FieldSet] | None = None
    ) -> None:
        self.members: set[str] = set(members)
        self.children: dict[str, FieldSet] = dict(children) if children else {}

    @classmethod
    def of(cls, *paths: Path) -> FieldSet:
        """The set of these paths."""
        result = cls()
        for path in paths:
            result.insert(path)
        return result

    def insert(self, path: Path) -> None:
        """Adds a path; only for a set that its maker has not yet handed out."""
        if not path:  # nobody owns the object as a whole
            return
        node = self
        for element in path[:-1]:
            node = node.descend(element)
        node.members.add(path[-1])

    def descend(self, element: str) -> FieldSet:
        """The child set of an element, made when missing."""
        child = self.children.get(element)
        if child is None:
            child = self.children[element] = FieldSet()
        return child

    def __bool__(self) -> bool:
        return bool(self.members) or any(self.children.values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FieldSet):
            return NotImplemented
        return set(self) == set(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"FieldSet({sorted(map(path_text, self))})"

    def __contains__(self, path: Path) -> bool:
        node: FieldSet | None = self
        for element in path[:-1]:
            node = node.children.get(element) if node else None
        return bool(path) and node is not None and path[-1] in node.members

    def __iter__(self) -> Iterator[Path]:
        return self._walk(())

    def _walk(self, prefix: Path) -> Iterator[Path]:
        for element in sorted(self.members, key=_order):
            yield (*prefix, element)
        for element in sorted(self.children, key=_order):
            yield from self.children[element]._walk((*prefix, element))

    def with_prefix(self, element: str) -> FieldSet:
        """The paths below an element, without it."""
        return self.children.get(element) or EMPTY

    def union(self, other: FieldSet) -> FieldSet:
        """The paths that are in one of both."""
        if not other.members and not other.children:
            return self
        if not self.members and not self.children:
            return other
        children = dict(self.children)
        for element, child in other.children.items():
            mine = children.get(element)
            children[element] = child if mine is None else mine.union(child)
        return FieldSet(self.members | other.members, children)

    def intersection(self, other: FieldSet) -> FieldSet:
        """The paths that are in both."""
        children = {}
        for element, child in self.children.items():
            if (theirs := other.children.get(element)) and (both := child.intersection(theirs)):
                children[element] = both
        return FieldSet(self.members & other.members, children)

    def difference(self, other: FieldSet) -> FieldSet:
        """What is here and not there; owning ``a`` there does not take ``a.b`` away from here."""
        if not other.members and not other.children:
            return self
        children = {}
        for element, child in self.children.items():
            theirs = other.children.get(element)
            rest = child if theirs is None else child.difference(theirs)
            if rest:
                children[element] = rest
        return FieldSet(self.members - other.members, children)

    def recursive_difference(self, other: FieldSet) -> FieldSet:
        """As ``difference``, but a member there takes away the whole subtree here."""
        children = {}
        for element, child in self.children.items():
            if element in other.members:
                continue
            theirs = other.children.get(element)
            rest = child if theirs is None else child.recursive_difference(theirs)
            if rest:
                children[element] = rest
        return FieldSet(self.members - other.members, children)

    def to_fields(self) -> dict[str, Any]:
        """The FieldsV1 form, in the order in which Kubernetes writes it."""
        out: dict[str, Any] = {}
        for element in sorted(self.members | self.children.keys(), key=_order):
            child = self.children.get(element)
            if not child:
                if element in self.members:
                    out[element] = {}
                continue
            inner = child.to_fields()
            out[element] = {_SELF: {}, **inner} if element in self.members else inner
        return out

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> FieldSet:
        """Reads FieldsV1; raises ValueError for what is not FieldsV1."""
        result = cls()
        for element, inner in fields.items():
            if element == _SELF:
                continue
            key = _canonical(element)
            if not isinstance(inner, Mapping):
                raise ValueError(f"expected an object below {element}")
            if not inner or _SELF in inner:
                result.members.add(key)
            if inner and (child := cls.from_fields(inner)):
                result.children[key] = child
        return result


class StoredFieldSet(FieldSet):
    """A set as we once wrote it, which is read only when somebody asks for more than that."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def __getattr__(self, name: str) -> Any:
        """``members`` and ``children``, the first time."""
        if name not in FieldSet.__slots__:
            raise AttributeError(name)
        read = FieldSet.from_fields(self._fields)
        self.members, self.children = read.members, read.children
        return getattr(read, name)

    def overlaps(self, other: FieldSet) -> bool:
        """Whether a path is in both."""
        return _overlap(self._fields, other)

    def to_fields(self) -> dict[str, Any]:
        """What was read."""
        return dict(self._fields)


def _overlap(fields: Mapping[str, Any], paths: FieldSet) -> bool:
    for element in paths.members:
        inner = fields.get(element)
        if inner is not None and (not inner or _SELF in inner):
            return True
    for element, child in paths.children.items():
        if (inner := fields.get(element)) and _overlap(inner, child):
            return True
    return False


EMPTY = FieldSet()

_RANK = {"f": 0, "k": 1, "v": 2, "i": 3}


def _order(element: str) -> tuple[int, str]:
    return _RANK.get(element[0], 4), element


@functools.lru_cache(maxsize=4096)  # the same few elements come with every write
def _canonical(element: str) -> str:
    if len(element) < 2 or element[1] != ":" or element[0] not in _RANK:
        raise ValueError(f"invalid path element {element!r}")
    if element[0] == "k":
        key = json.loads(element[2:])
        if not isinstance(key, dict):
            raise ValueError(f"invalid path element {element!r}")
        return key_element(key)
    if element[0] == "v":
        return value_element(json.loads(element[2:]))
    if element[0] == "i":
        int(element[2:])
    return element


def key_element(keys: Mapping[str, Any]) -> str:
    """The element of a keyed list's item: its key fields by name."""
    return "k:" + _compact({name: keys[name] for name in sorted(keys)})


def value_element(value: Any) -> str:
    """The element of a set's item: its value."""
    return "v:" + _compact(value)


_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def path_text(path: Path) -> str:
    """A path as conflicts name it: ``.spec.containers[name="c"].image``."""
    return "".join(map(_element_text, path))


def _element_text(element: str) -> str:
    kind, rest = element[0], element[2:]
    if kind == "f":
        return "." + rest
    if kind == "k":
        keys = json.loads(rest)
        return "[" + ",".join(f"{name}={_compact(value)}" for name, value in keys.items()) + "]"
    return f"[={rest}]" if kind == "v" else f"[{rest}]"

"""What a schema says about merging: which maps and lists are granular and which are one value.

A schema compiles lazily into atoms, one per place: a scalar, a list, a map, or several of them
where the schema does not say (then the value decides). Used by ``typed`` alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]


class ListAtom:
    """A list: ``atomic``, or associative by ``keys`` (no keys: a set of scalars)."""

    __slots__ = ("_atom", "_items", "_preserve", "atomic", "keys")

    def __init__(self, schema: Schema, preserve: bool) -> None:
        self.atomic, self.keys = _list_relationship(schema)
        self._items: Schema | None = schema.get("items")
        self._preserve = preserve
        self._atom: Atom | None = None

    @property
    def element(self) -> Atom:
        """How an item is merged."""
        if self._atom is None:
            items = self._items
            self._atom = UNTYPED_ATOMIC if items is None else Atom(items, self._preserve)
        return self._atom

    def key_default(self, name: str) -> Any:
        """The default of a key field of the items, or None."""
        properties = (self._items or {}).get("properties") or {}
        return (properties.get(name) or {}).get("default")


class MapAtom:
    """A map or struct: named fields and, for other keys, an element (None: no other keys)."""

    __slots__ = ("_cache", "_extra", "_preserve", "_properties", "atomic")

    def __init__(self, schema: Schema, preserve: bool) -> None:
        self.atomic = schema.get("x-kubernetes-map-type") == "atomic"
        self._properties: Mapping[str, Schema] = schema.get("properties") or {}
        self._preserve = preserve
        self._extra: Schema | bool | None = schema.get("additionalProperties")
        self._cache: dict[str, Atom | None] = {}

    @property
    def has_fields(self) -> bool:
        """Whether the schema names fields, so that it is a struct."""
        return bool(self._properties)

    @property
    def is_deduced(self) -> bool:
        """Whether nothing is known of the content, so that every value decides for itself."""
        return not self._properties and self.element is DEDUCED

    def has_field(self, name: str) -> bool:
        """Whether the schema names this field."""
        return name in self._properties

    def at(self, name: str) -> Atom | None:
        """The atom of a key; None when the schema has no place for it."""
        cached = self._cache.get(name)
        if cached is not None:
            return cached
        declared = self._properties.get(name)
        if declared is None:
            return self.element
        atom = self._cache[name] = Atom(declared, self._preserve)
        return atom

    @property
    def element(self) -> Atom | None:
        """How the value of a key without a field of its own is merged; None: it is unknown."""
        if "" in self._cache:
            return self._cache[""]
        atom = self._cache[""] = self._make_element()
        return atom

    def _make_element(self) -> Atom | None:
        if isinstance(self._extra, Mapping):
            return Atom(self._extra, self._preserve)
        if self._extra is None:
            return DEDUCED if self._preserve or not self._properties else None
        return DEDUCED if self._extra else None


class Atom:
    """The merge type of one place; ``scalar`` is a JSON type, "untyped", or None."""

    __slots__ = ("list", "map", "scalar")

    def __init__(self, schema: Schema, preserve: bool = False) -> None:
        preserve = preserve or schema.get("x-kubernetes-preserve-unknown-fields") is True
        self.scalar: str | None = None
        self.list: ListAtom | None = None
        self.map: MapAtom | None = None
        if schema.get("x-kubernetes-int-or-string"):
            self.scalar = "untyped"
            return
        declared = schema.get("type") or ""
        if declared == "object" or (not declared and "properties" in schema):
            self.map = MapAtom(schema, preserve)
        elif declared == "array":
            self.list = ListAtom(schema, preserve)
        elif declared:
            self.scalar = _scalar(declared, schema.get("format"))
        else:
            self.scalar = "untyped"
            self.list = ListAtom(schema, preserve)
            self.map = MapAtom(schema, preserve)


def _scalar(declared: str, text_format: Any) -> str:
    if text_format == "int-or-string" or text_format == "quantity":
        return "untyped"
    return "number" if declared == "integer" else declared


def _list_relationship(schema: Schema) -> tuple[bool, tuple[str, ...]]:
    kind = schema.get("x-kubernetes-list-type")
    if kind is None and "merge" in (schema.get("x-kubernetes-patch-strategy") or "").split(","):
        key = schema.get("x-kubernetes-patch-merge-key")
        return False, ((key,) if key else ())
    if kind == "map":
        return False, tuple(schema.get("x-kubernetes-list-map-keys") or ())
    return kind != "set", ()


class _Open(Atom):
    """A place of unknown type; granular maps (deduced) or everything atomic."""

    __slots__ = ()

    def __init__(self, *, atomic: bool) -> None:
        self.scalar = "untyped"
        self.list = ListAtom({}, False)
        open_map = MapAtom({"x-kubernetes-map-type": "atomic" if atomic else "granular"}, False)
        open_map._cache[""] = self
        self.map = open_map


UNTYPED_ATOMIC = _Open(atomic=True)
DEDUCED = _Open(atomic=False)

# Roots by identity. The schema is kept with its atom, so that its id cannot be used again.
_CACHE_LIMIT = 512
_cache: OrderedDict[int, tuple[Schema, Atom]] = OrderedDict()


def atom_of(schema: Schema) -> Atom:
    """The atom of a kind's schema, compiled once for each schema object."""
    cached = _cache.get(id(schema))
    if cached is None:
        cached = _cache[id(schema)] = (schema, Atom(schema))
        if len(_cache) > _CACHE_LIMIT:
            _cache.popitem(last=False)
    return cached[1]

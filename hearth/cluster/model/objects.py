"""Objects as the store keeps them: JSON bytes with a known head, and what is read of them often.

The bytes begin ``{"apiVersion":...,"kind":...,"metadata":{"resourceVersion":"N"``, so a list can
cut the head and a deletion can change the resource version without parsing. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from sys import intern
from typing import Any, NamedTuple

import orjson

from hearth.likeness import Likeness

Object = dict[str, Any]


class Key(NamedTuple):
    """Where an object lives; ``resource`` is the group resource (``deployments.apps``)."""

    resource: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """The order of lists, as Kubernetes has it: namespace and name as one text."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def text(self) -> str:
        """The key in one text, as the database has it; ``parse_key`` reads it back."""
        return f"{self.resource}/{self.namespace}/{self.name}"


def parse_key(text: str) -> Key:
    """Reads what ``Key.text`` wrote."""
    resource, namespace, name = text.split("/", 2)
    return Key(intern(resource), intern(namespace), name)


class Owner(NamedTuple):
    """An owner reference, as garbage collection needs it."""

    uid: str
    kind: str
    name: str
    api_version: str
    blocks: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One object at one revision."""

    key: Key
    revision: int
    held: bytes
    """``value``, or that compressed."""
    uid: str
    labels: dict[str, str]
    owners: tuple[Owner, ...] = ()
    finalizers: tuple[str, ...] = ()
    deleting: bool = False
    size: int = field(init=False)
    alike: Likeness | None = field(init=False, default=None)
    """What it was compressed by."""

    def __post_init__(self) -> None:
        """Notes the size, which stays the same."""
        object.__setattr__(self, "size", len(self.held))

    @property
    def value(self) -> bytes:
        """The object, as JSON."""
        return self.held if self.alike is None else self.alike.unpack(self.held)

    def pack(self, alike: Likeness) -> None:
        """Holds it compressed from now on: a seventh; reading it costs 10 us more."""
        if self.alike is None:
            packed = alike.pack(self.held)
            if len(packed) < self.size:  # which nobody who reads it can tell
                object.__setattr__(self, "held", packed)
                object.__setattr__(self, "alike", alike)

    def parse(self) -> Object:
        """A fresh copy of the object, the caller's own to change."""
        parsed: Object = orjson.loads(self.value)
        return parsed


_NO_LABELS: dict[str, str] = {}
_MARK = b'"metadata":{"resourceVersion":"'


def encode(obj: Object, revision: int) -> bytes:
    """The stored bytes of an object at a revision."""
    metadata = {"resourceVersion": str(revision)}
    metadata |= {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}
    head = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
    head |= {k: v for k, v in obj.items() if k not in head}
    # What orjson returns keeps the buffer it was written to, some four times its length; the copy
    # is as long as it is.
    return bytes(memoryview(orjson.dumps(head)))


def head(api_version: str, kind: str) -> bytes:
    """The first bytes of every stored object of a kind."""
    return orjson.dumps({"apiVersion": api_version, "kind": kind})[:-1] + b","


def with_revision(value: bytes, revision: int) -> bytes:
    """The same stored bytes under another resource version."""
    start = value.index(_MARK) + len(_MARK)
    return b"%b%d%b" % (value[:start], revision, value[value.index(b'"', start) :])


def make_entry(key: Key, revision: int, value: bytes, *, obj: Object | None = None) -> Entry:
    """An entry with what the indexes need; ``obj`` spares parsing where it is at hand."""
    metadata = (orjson.loads(value) if obj is None else obj)["metadata"]
    labels = metadata.get("labels")
    return Entry(
        key=key,
        revision=revision,
        held=value,
        uid=metadata.get("uid", ""),
        # The objects of one application have the same labels.
        labels={intern(k): intern(v) for k, v in labels.items()} if labels else _NO_LABELS,
        owners=tuple(_owner(reference) for reference in metadata.get("ownerReferences") or ()),
        finalizers=tuple(metadata.get("finalizers") or ()),
        deleting="deletionTimestamp" in metadata,
    )


def _owner(reference: dict[str, Any]) -> Owner:
    return Owner(
        uid=reference.get("uid", ""),
        kind=intern(reference.get("kind", "")),
        name=intern(reference.get("name", "")),
        api_version=intern(reference.get("apiVersion", "")),
        blocks=bool(reference.get("blockOwnerDeletion")),
    )


class Change(NamedTuple):
    """One revision as watchers see it: the object now, and what it replaced.

    ``now`` of a deletion is the last state under the deletion's resource version.
    """

    now: Entry
    before: Entry | None
    deleted: bool

    @property
    def revision(self) -> int:
        """The resource version under which it happened."""
        return self.now.revision

    @property
    def size(self) -> int:
        """Bytes of the objects it holds."""
        return self.now.size + (self.before.size if self.before else 0)


def plain(obj: Object) -> bytes:
    """An object that is not stored, as an answer."""
    return orjson.dumps(obj)

"""Which shards of a stream are read, and how far each was. Pure.

A shard's children hold what came after it, so none of them is read before its end: changes of one
item stay in order. Of a shard whose parent is unknown, the parent's records are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Shard:
    """One shard, and how far it was read."""

    shard_id: str
    parent: str | None = None
    last: str | None = None
    """The sequence number of the last record that the sink took, or that was not for it."""
    iterator: str | None = None
    is_done: bool = False

    def where(self) -> dict[str, str]:
        """Return what a new iterator begins at."""
        if self.last is None:
            return {"ShardIteratorType": "TRIM_HORIZON"}
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self.last}


class Shards:
    """The shards of a stream."""

    def __init__(self, lasts: Mapping[str, str] | None = None) -> None:
        """``lasts`` has how far an earlier adapter read each."""
        self._lasts = dict(lasts or {})
        self._known: dict[str, Shard] = {}

    def update(self, described: Iterable[Mapping[str, Any]]) -> None:
        """Take in what the stream has now; what it has no more is forgotten."""
        now = {each["ShardId"]: each.get("ParentShardId") for each in described}
        for gone in self._known.keys() - now.keys():
            del self._known[gone]
        for shard_id, parent in now.items():
            last = self._lasts.pop(shard_id, None)
            self._known.setdefault(shard_id, Shard(shard_id, parent, last))

    def lasts(self) -> dict[str, str]:
        """Return how far each was read, as one that begins anew is to know it."""
        return {each.shard_id: each.last for each in self._known.values() if each.last is not None}

    def readable(self) -> list[Shard]:
        """Return those to read from, in order of age."""
        return [
            each for each in self._known.values() if not each.is_done and self._is_done(each.parent)
        ]

    def _is_done(self, parent: str | None) -> bool:
        known = self._known.get(parent or "")
        return known is None or known.is_done

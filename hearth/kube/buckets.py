"""Which bucket a key belongs to: knative.dev/pkg/hash, so that shards are the same as there. Pure.

Each bucket and a starting angle are hashed for the key; the first bucket at or after the angle owns
the key. Adding a bucket moves only the keys that it takes over.
"""

from __future__ import annotations

from collections.abc import Iterable

_START_SALT = "start-angle-salt"
_UNIVERSE = 1 << 11
_FNV_OFFSET, _FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3
_REMEMBERED = 4096


def _fnv1a(text: str) -> int:
    value = _FNV_OFFSET
    for octet in text.encode():
        value = ((value ^ octet) * _FNV_PRIME) & 0xFFFFFFFFFFFFFFFF
    return value


class Buckets:
    """A set of buckets, known by name."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(sorted(set(names)))
        self._owners: dict[str, str] = {}

    def owner(self, key: str) -> str:
        """Return the bucket of a key written as ``namespace/name``."""
        if len(self.names) == 1:
            return self.names[0]
        owner = self._owners.get(key)
        if owner is None:
            if len(self._owners) >= _REMEMBERED:
                self._owners.clear()
            owner = self._owners[key] = self._choose(key)
        return owner

    def _choose(self, key: str) -> str:
        angles: dict[int, str] = {}
        for name in self.names:
            text = name + key
            value = _fnv1a(text)
            while value % _UNIVERSE in angles:
                text += f"{value:x}"
                value = _fnv1a(text)
            angles[value % _UNIVERSE] = name
        start = _fnv1a(key + _START_SALT) % _UNIVERSE
        return angles[min(angles, key=lambda angle: (angle < start, angle))]

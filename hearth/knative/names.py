"""Names of children, as ``knative.dev/pkg/kmeta`` derives them."""

from __future__ import annotations

import hashlib

_LONGEST = 63
_HASHED = 32  # hexadecimal digits of an MD5 sum
_HEAD = _LONGEST - _HASHED


def child_name(parent: str, suffix: str) -> str:
    """``parent + suffix``, shortened with an MD5 sum to 63 characters.

    The same result as Knative's ``kmeta.ChildName``, because children are found by these names.
    A suffix too long to be kept whole is cut, and hashed together with the parent.
    """
    if len(parent) + len(suffix) <= _LONGEST:
        return parent + suffix
    if len(suffix) < _HEAD:
        return parent[: _HEAD - len(suffix)] + _md5(parent) + suffix
    hashed = parent[:_HEAD] + _md5(parent + suffix)
    padded = hashed + suffix[: _LONGEST - len(hashed)]
    return padded[: max(i for i, c in enumerate(padded, 1) if c.isalnum())]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

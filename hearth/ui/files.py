"""The built files of the page, compressed once: a folder of its own, nothing above it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".png": "image/png",
}
_COMPRESSED = (".woff2", ".png")


@dataclass(frozen=True, slots=True)
class Served:
    """A file as it is sent."""

    content: bytes
    zipped: bytes
    """Empty where that saves nothing."""
    tag: str
    kind: str

    def fields(self, *, zipped: bool) -> dict[str, str]:
        """Return the head of the answer. The browser asks each time whether there is another."""
        fields = {"content-type": self.kind, "etag": self.tag, "cache-control": "no-cache"}
        if self.zipped:
            fields["vary"] = "accept-encoding"
        return fields | ({"content-encoding": "gzip"} if zipped else {})


class Files:
    """Files by name; what was changed since it was read is read again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[int, Served]] = {}

    def get(self, name: str) -> Served | None:
        """Return the file with this name; None where there is none."""
        path = self._folder / name
        kind = _TYPES.get(path.suffix)
        if kind is None or Path(name).name != name:
            return None
        try:
            changed = path.stat().st_mtime_ns
            known = self._read.get(name)
            if known is None or known[0] != changed:
                known = self._read[name] = changed, _served(path.read_bytes(), path.suffix, kind)
        except OSError:
            return None
        return known[1]


def _served(content: bytes, suffix: str, kind: str) -> Served:
    zipped = b"" if suffix in _COMPRESSED else gzip.compress(content, 9, mtime=0)
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    return Served(content, zipped if len(zipped) < len(content) else b"", tag, kind)


def wants_gzip(fields: Mapping[str, str]) -> bool:
    """Whether a client takes what is compressed so."""
    return "gzip" in fields.get("accept-encoding", "")

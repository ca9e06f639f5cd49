"""Files that come line by line from a pod: written below a folder, whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from hearth.cli.errors import UserError

MOST_BYTES = 256 * 1024 * 1024
"""Of all files that are fetched at once: they go through the API server."""


class _File:
    """A file in the making; it has another name until it is whole."""

    def __init__(self, target: Path, size: int, *, is_executable: bool) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self._target, self._partial = target, target.with_name(f".{target.name}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        self._out = os.fdopen(
            os.open(self._partial, flags, 0o777 if is_executable else 0o666), "wb"
        )
        self._digest = hashlib.sha256()
        self._left = size

    def write(self, content: bytes) -> None:
        """Add to it; raise UserError where it becomes longer than was said."""
        self._left -= len(content)
        if self._left < 0:
            raise UserError(f"{printable(str(self._target))} is longer than the pod said")
        self._digest.update(content)
        self._out.write(content)

    def keep(self, digest: str) -> bool:
        """Have its name lead to it; False where its content is another."""
        self._out.close()
        if self._digest.hexdigest() != digest:
            return False
        self._partial.replace(self._target)
        return True

    def drop(self) -> None:
        self._out.close()
        self._partial.unlink(missing_ok=True)


class Receiver:
    """What the pod says, line by line; files are written below ``folder``, where there is one."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._file: _File | None = None
        self._bytes = 0
        self._is_whole = False
        self.found: list[dict[str, Any]] = []
        """Path and size of each file, in order."""

    def feed(self, line: bytes) -> None:
        """Take a line; raise UserError for what cannot be, and for what is too much."""
        if not line.startswith(b"{"):
            self._more(line)
            return
        said = json.loads(line)
        if "error" in said:
            raise UserError(str(said["error"]))
        if "path" in said:
            self._begin(said)
        elif "sha256" in said and self._file is not None:
            if not self._file.keep(str(said["sha256"])):
                raise UserError(_cut(self.found[-1]["path"]))
            self._file = None
            print(self._target(self.found[-1]["path"]))
        elif "end" in said:
            self._is_whole = True

    def _target(self, path: str) -> Path:
        return Path(self._folder or ".", *safe_parts(path))

    def _begin(self, said: dict[str, Any]) -> None:
        self.found.append({"path": str(said["path"]), "size": int(said["size"])})
        if self._folder is None:
            return
        self._bytes += int(said["size"])
        if self._bytes > MOST_BYTES:
            raise UserError(
                f"these are more than {size_words(MOST_BYTES)}, the most that is fetched at once: "
                "name some of them"
            )
        is_executable = bool(said["executable"])
        self._file = _File(
            self._target(said["path"]), int(said["size"]), is_executable=is_executable
        )

    def _more(self, line: bytes) -> None:
        if self._file is not None:
            self._file.write(base64.b64decode(line))

    def check_end(self) -> None:
        """Raise UserError where the pod has not said all."""
        if not self._is_whole:
            raise UserError(_cut("what the pod said"))

    def close(self) -> None:
        """Remove what is not whole."""
        if self._file is not None:
            self._file.drop()


def _cut(path: str) -> str:
    return f"{printable(path)} came with a piece missing: ask again, for less at once"


def safe_parts(path: str) -> tuple[str, ...]:
    """Return the parts of a path below a folder; raise UserError where it leads elsewhere."""
    parts = tuple(path.split("/"))
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise UserError(f"{path!r} is no path below a folder: it is not written")
    return parts


def printable(text: str) -> str:
    """Return a text that does nothing to a terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def size_words(size: int) -> str:
    """Return a number of bytes as people read it."""
    for unit, length in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= length:
            return f"{size / length:.1f} {unit}"
    return f"{size} B"

"""The files of a program, as far as they are looked at for what they import."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_MOST_FILES, _MOST_BYTES, _MOST_ENTRIES = 200, 256 * 1024, 5000
_NEVER = frozenset({"node_modules", "site-packages", "venv", "__pycache__"})


def first_line(path: str) -> str:
    """The first line of a file, where there is one; of a script it names the interpreter."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.readline(256).decode(errors="replace").strip()
    return ""


def read_sources(folder: str, script: str) -> dict[str, str]:
    """Texts of a folder's Python files by their paths in it, and of a script by its name."""
    place = os.path.join(folder, script)
    found = {os.path.basename(script): place} if os.path.isfile(place) else {}
    found |= {os.path.relpath(path, folder): path for path in _python_files(folder)}
    texts = {}
    for name, path in found.items():
        with contextlib.suppress(OSError, ValueError):
            if os.path.getsize(path) <= _MOST_BYTES:
                texts[name] = Path(path).read_text("utf-8")
    return texts


def _python_files(folder: str) -> Iterator[str]:
    count = entries = 0
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in _NEVER and not f.startswith("."))
        entries += len(folders) + len(files)
        for name in sorted(files):
            if name.endswith(".py"):
                count += 1
                yield os.path.join(at, name)
        if count >= _MOST_FILES or entries >= _MOST_ENTRIES:
            return

"""``python -m hearth.pipelines.sdk artifacts``: what jobs have kept, told on its output.

Run by ``hearth run artifacts`` in a pod that has nothing but the run's folder. HEARTH_ARTIFACTS is
JSON: ``folders``, by job where in the workspace its files are, and ``send``, patterns of the paths
that are wanted (``JOB/PATH``, or ``JOB``); without them all are told, and none is sent.

A line of JSON for each file; of one that is sent its content follows in base64, at last a line with
its digest. Links and devices are no files: what they lead to is not told to anybody.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import os
import sys

from hearth.pipelines.sdk.jobs import WORKSPACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MOST_FILES = 10_000
_CHUNK = 48 * 1024


def main() -> int:
    """Tell or send; 0 where all went well."""
    try:
        return _told(json.loads(os.environ["HEARTH_ARTIFACTS"]))
    except OSError as error:
        _tell({"error": f"{error.filename}: {error.strerror}"})
        return 1


def _told(asked: dict[str, Any]) -> int:
    root = os.environ.get("HEARTH_VOLUME_WORKSPACE") or WORKSPACE
    patterns = asked.get("send")
    for number, (path, place) in enumerate(kept(root, asked["folders"])):
        if number >= MOST_FILES:
            _tell({"error": f"there are more than {MOST_FILES} files"})
            return 1
        if patterns is None:
            _tell({"path": path, "size": os.lstat(place).st_size})
        elif any(_fits(path, pattern) for pattern in patterns):
            _send(path, place)
    _tell({"end": True})
    return 0


def _fits(path: str, pattern: str) -> bool:
    return path.startswith(f"{pattern.rstrip('/')}/") or fnmatch.fnmatchcase(path, pattern)


def kept(root: str, folders: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the files of jobs, as ``JOB/PATH`` and where they are, in order."""
    for job, folder in sorted(folders.items()):
        top = os.path.join(root, folder)
        for place in _files(top):
            yield f"{job}/{os.path.relpath(place, top)}", place


def _files(folder: str) -> Iterator[str]:
    if not os.path.isdir(folder) or os.path.islink(folder):
        return
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path)
        elif entry.is_file(follow_symlinks=False):
            yield entry.path


def _send(path: str, place: str) -> None:
    digest = hashlib.sha256()
    with open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        found = os.fstat(file.fileno())
        runs = bool(found.st_mode & 0o100)
        _tell({"path": path, "size": found.st_size, "executable": runs})
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            print(base64.b64encode(chunk).decode())
    _tell({"sha256": digest.hexdigest()})


def _tell(said: dict[str, Any]) -> None:
    print(json.dumps(said))
    sys.stdout.flush()

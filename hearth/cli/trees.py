"""Files of a folder or of a git repository at a commit: what strangers' templates are read from.

Nothing of it is run: of a repository only files of its tree are read, with no work tree, no hooks
and no submodules; links are refused.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from hearth.cli.errors import UserError

MOST_BYTES = 1024 * 1024
"""Of one file."""
_MOST_FILES = 2000
_SECONDS = 120.0
_URL = re.compile(r"^(https?|ssh|git|file)://|^[\w.-]+@[\w.-]+:")
_COMMIT = re.compile(r"^(?P<url>.+?)(@(?P<commit>[0-9a-f]{40})|#(?P<branch>[^#]+))$")
_GIT = (
    *("git", "-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never"),
    *("-c", "core.symlinks=false"),
)
_PLAIN_MODES = ("100644", "100755")
Files = dict[str, Callable[[], bytes]]
"""What reads a file, by its path; it raises TreeError where that is no plain one."""


class TreeError(ValueError):
    """A file that is not to be read."""


@contextlib.contextmanager
def read(place: str, what: str) -> Iterator[tuple[str, Files]]:
    """The files of a folder, or of ``URL``, ``URL@COMMIT``, ``URL#BRANCH``; and where they are.

    That names the commit. UserError where there is none; ``what`` it was to be is said.
    """
    if Path(place).is_dir():
        yield place, folder_files(Path(place))
        return
    if not _URL.search(place):
        raise UserError(f"there is no {what} {place}: give a folder or a git repository's URL")
    with tempfile.TemporaryDirectory(prefix="hearth-files-") as folder:
        yield _repository(folder, place)


def folder_files(folder: Path) -> Files:
    """The files of a folder."""
    files: Files = {}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if each != ".git")
        for name in sorted(names):
            path = Path(place, name)
            is_plain = path.is_file() and not path.is_symlink()
            reader = partial(_head, path) if is_plain else _no_file
            files[path.relative_to(folder).as_posix()] = reader
            _check_count(str(folder), files)
    return files


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _no_file() -> bytes:
    raise TreeError("it has a link, a submodule, a file that is too large or one outside of it")


def stays_within(path: str) -> bool:
    """Whether a path leads into no other folder, nor into git's own; a tree can hold any name."""
    return not any(part in ("", ".", "..", ".git") for part in path.split("/"))


def _check_count(place: str, files: Files) -> None:
    if len(files) > _MOST_FILES:
        raise UserError(f"{place} has more than {_MOST_FILES} files")


# -- git -------------------------------------------------------------------------------------------


def _repository(folder: str, place: str) -> tuple[str, Files]:
    """The files of a repository at the commit that is named, else at its newest; which is said."""
    named = _COMMIT.match(place)
    url, commit = place, "HEAD"
    if named:
        url, commit = named["url"], named["commit"] or f"refs/heads/{named['branch']}"
    _git(folder, url, "init", "-q", "--bare", ".")
    _git(folder, url, "fetch", "-q", "--depth=1", "--no-tags", "--", url, commit)
    title = f"{url}@{_git(folder, url, 'rev-parse', 'FETCH_HEAD').decode().strip()}"
    listed = _git(folder, url, "ls-tree", "-r", "-z", "-l", "FETCH_HEAD").decode("utf-8", "replace")
    files: Files = {}
    for entry in listed.split("\0")[:-1]:
        about, _, path = entry.partition("\t")
        mode, _, digest, size = about.split()
        is_plain = mode in _PLAIN_MODES and int(size) <= MOST_BYTES and stays_within(path)
        reader = partial(_git, folder, url, "cat-file", "blob", digest)
        files[path] = reader if is_plain else _no_file
        _check_count(title, files)
    return title, files


def _git(folder: str, url: str, *arguments: str) -> bytes:
    env = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
    }
    try:
        done = subprocess.run(
            [*_GIT, *arguments],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise UserError("there is no git on the PATH: give it as a folder") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"git did not get {url} within {_SECONDS:g} s") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise UserError(f"git could not read {url}: {said[-1] if said else 'it said nothing'}")
    return done.stdout

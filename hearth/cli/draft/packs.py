"""Packs of templates: Hearth's own, those of a folder, those of a git repository at a commit.

Nothing of a pack is run: of a repository only files of its tree are read, with no work tree, no
hooks and no submodules; links are refused.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from hearth.cli.errors import UserError
from hearth.functions import drafting
from hearth.functions.drafting.templates import (
    DRAFT_FILE,
    FILE,
    Template,
    TemplateError,
    read_template,
)

OWN = "hearth"
_MOST_FILES, _MOST_BYTES = 2000, 1024 * 1024
_SECONDS = 120.0
_URL = re.compile(r"^(https?|ssh|git|file)://|^[\w.-]+@[\w.-]+:")
_COMMIT = re.compile(r"^(?P<url>.+?)@(?P<commit>[0-9a-f]{40})$")
_GIT = (
    *("git", "-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never"),
    *("-c", "core.symlinks=false"),
)
Files = dict[str, Callable[[], bytes]]
"""What reads a file, by its path in the pack."""


def templates_of(packs: Iterable[str]) -> list[Template]:
    """Return the templates of packs and then Hearth's own; UserError where a pack has none.

    A template that cannot be read is told of, and the others of its pack are there.
    """
    own = Path(drafting.__file__).with_name("packs")
    with contextlib.ExitStack() as stack:
        read = [stack.enter_context(_read(pack)) for pack in packs]
        return [each for pack in (*read, (OWN, _folder(own))) for each in _templates(*pack)]


@contextlib.contextmanager
def _read(pack: str) -> Iterator[tuple[str, Files]]:
    if Path(pack).is_dir():
        yield pack, _folder(Path(pack))
        return
    if not _URL.search(pack):
        raise UserError(f"there is no pack {pack}: give a folder, or the URL of a git repository")
    with tempfile.TemporaryDirectory(prefix="hearth-pack-") as folder:
        yield _repository(folder, pack)


def _templates(pack: str, files: Files) -> list[Template]:
    """A template is a folder with a template.yaml or a draft.yaml."""
    tops = sorted({path.rpartition("/")[0] for path in files if path.rpartition("/")[2] in _NAMES})
    if not tops:
        raise UserError(f"pack {pack} has no template: none of its folders has a {FILE}")
    found = []
    for top in tops:
        start = f"{top}/" if top else ""
        mine = [path for path in files if path.startswith(start)]
        name = top.rpartition("/")[2] or Path(pack.partition("@")[0]).stem
        try:
            texts = {path.removeprefix(start): _text(path, files[path]()) for path in mine}
            if texts.get(FILE, "").lstrip().startswith("apiVersion:"):
                continue  # an object of Kubernetes that is called so
            found.append(read_template(name, pack, texts))
        except TemplateError as error:
            print(f"left out: {error}", file=sys.stderr)
    return found


_NAMES = (FILE, DRAFT_FILE)


def _text(path: str, content: bytes) -> str:
    if len(content) > _MOST_BYTES:
        raise TemplateError(f"{path} is larger than 1 MiB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise TemplateError(f"{path} is no text") from None


def _folder(folder: Path) -> Files:
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
        return file.read(_MOST_BYTES + 1)


def _no_file() -> bytes:
    raise TemplateError("it has a link, a submodule or a file that is too large")


def _check_count(pack: str, files: Files) -> None:
    if len(files) > _MOST_FILES:
        raise UserError(f"pack {pack} has more than {_MOST_FILES} files")


# -- git -------------------------------------------------------------------------------------------


def _repository(folder: str, pack: str) -> tuple[str, Files]:
    """The files of a repository at the commit that is named, else at its newest; which is said."""
    named = _COMMIT.match(pack)
    url, commit = (named["url"], named["commit"]) if named else (pack, "HEAD")
    _git(folder, url, "init", "-q", "--bare", ".")
    _git(folder, url, "fetch", "-q", "--depth=1", "--no-tags", "--", url, commit)
    title = f"{url}@{_git(folder, url, 'rev-parse', 'FETCH_HEAD').decode().strip()}"
    listed = _git(folder, url, "ls-tree", "-r", "-z", "-l", "FETCH_HEAD").decode("utf-8", "replace")
    files: Files = {}
    for entry in listed.split("\0")[:-1]:
        about, _, path = entry.partition("\t")
        mode, _, digest, size = about.split()
        is_plain = mode in ("100644", "100755") and int(size) <= _MOST_BYTES
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
        raise UserError("there is no git on the PATH: give the pack as a folder") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"git did not get {url} within {_SECONDS:g} s") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise UserError(f"git could not read {url}: {said[-1] if said else 'it said nothing'}")
    return done.stdout

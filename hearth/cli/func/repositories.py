"""Repositories of templates: those that are kept, and one that is named for once."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from hearth.cli.errors import UserError
from hearth.cli.trees import MOST_BYTES, Files, TreeError, folder_files, read
from hearth.functions.projects.project import FILE, write_project
from hearth.functions.projects.repositories import (
    MANIFEST,
    RepositoryError,
    Template,
    project_of,
    templates,
)

OWN = "default"
_NAME = re.compile(r"^[A-Za-z0-9][\w.-]*$")
_ORIGIN = ".origin"


def kept() -> Path:
    """Where repositories are kept: where Knative func keeps them, too."""
    said = os.environ.get("FUNC_REPOSITORIES_PATH")
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(said) if said else Path(config) / "func" / "repositories"


def names() -> list[str]:
    """Return the names of the repositories that are kept."""
    with contextlib.suppress(OSError):
        return sorted(each.name for each in kept().iterdir() if _NAME.match(each.name))
    return []


def origin(name: str) -> str:
    """Return where a repository came from, where that is known."""
    with contextlib.suppress(OSError):
        return (kept() / name / _ORIGIN).read_text().strip()
    return ""


def add(name: str, place: str) -> None:
    """Keep a repository of a folder or of git under a name; UserError where that cannot be."""
    target = _free(name)
    with read(place, "repository") as (where, files):
        used = {path for each in _listed(where, files) for path in each.files.values()}
        used |= {path for path in files if path.rpartition("/")[2] == MANIFEST}
        fresh = kept() / f".{name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        _write(fresh, {path: path for path in used}, files)
        (fresh / _ORIGIN).write_text(f"{where}\n")
        fresh.rename(target)


def rename(old: str, new: str) -> None:
    """Give a repository that is kept another name."""
    _there(old).rename(_free(new))


def remove(name: str) -> None:
    """Forget a repository; projects that were made of it stay."""
    shutil.rmtree(_there(name))


def listed(place: str = "") -> list[tuple[str, Template]]:
    """Return templates with what one is called by: of one repository, else of all that are kept."""
    if place:
        with read(place, "repository") as (where, files):
            return [(each.name, each) for each in _listed(where, files)]
    return [
        (f"{name}/{each.name}", each)
        for name in names()
        for each in _listed(name, folder_files(kept() / name))
    ]


@contextlib.contextmanager
def _opened(place: str, template: str) -> Iterator[tuple[str, Files, str]]:
    """A repository and the template's name in it."""
    if place:
        with read(place, "repository") as (where, files):
            yield where, files, template
        return
    name, _, inner = template.partition("/")
    yield name, folder_files(_there(name)), inner


def make(folder: Path, title: str, language: str, template: str, place: str, created: str) -> None:
    """Make a project of a repository's template in a folder; UserError where there is none."""
    with _opened(place, template) as (where, files, name):
        there = _listed(where, files)
        found = [each for each in there if (each.language, each.name) == (language, name)]
        if not found:
            known = ", ".join(f"{each.language} {each.name}" for each in there)
            raise UserError(f"{where} has no template {name!r} for {language}; it has: {known}")
        try:
            project = project_of(found[0], title, created)
        except RepositoryError as error:
            raise UserError(f"{where}: {error}") from error
        _write(folder, found[0].files, files)
    (folder / FILE).write_text(write_project(project))


def _listed(where: str, files: Files) -> list[Template]:
    """Its templates; UserError where it has none."""
    try:
        found = templates(files, lambda path: _content(path, files).decode("utf-8", "replace"))
    except (RepositoryError, TreeError) as error:
        raise UserError(f"{where}: {error}") from error
    if not found:
        raise UserError(f"{where} has no template: its files are to be in LANGUAGE/TEMPLATE/")
    return found


def _write(folder: Path, paths: dict[str, str], files: Files) -> None:
    """Write files below a folder, all or none; what begins as a script can be run."""
    try:
        contents = {path: _content(source, files) for path, source in paths.items()}
    except TreeError as error:
        raise UserError(str(error)) from error
    for path, content in contents.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        if content.startswith(b"#!"):
            target.chmod(0o755)


def _content(path: str, files: Files) -> bytes:
    try:
        content = files[path]()
    except TreeError as error:
        raise TreeError(f"{path}: {error}") from error
    if len(content) > MOST_BYTES:
        raise TreeError(f"{path} is larger than 1 MiB")
    return content


def _there(name: str) -> Path:
    if name not in names():
        known = ", ".join(names()) or "none"
        raise UserError(
            f"there is no repository {name!r} (kept: {known}): "
            "add it with `hearth func repository add NAME URL`"
        )
    return kept() / name


def _free(name: str) -> Path:
    if name == OWN or not _NAME.match(name):
        raise UserError(f"{name!r} is no name for a repository: letters, digits, - and _ make one")
    if name in names():
        raise UserError(f"there is a repository {name} already: remove it, or take another name")
    return kept() / name

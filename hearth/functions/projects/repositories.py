"""Repositories of templates as Knative func has them: LANGUAGE/TEMPLATE/files, and manifests. Pure.

A ``manifest.yaml`` at the top, in a language's folder and in a template's says how what is made of
a template is built, run and invoked; the innermost counts. The one at the top may name the folder
in which the languages are (``templates``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from hearth.functions.projects.project import Project

MANIFEST = "manifest.yaml"
_NOT_LANGUAGES, _NOT_TEMPLATES = ("certs",), ("scaffolding",)
_BUILD = ("builderImages", "buildpacks", "buildEnvs")


class RepositoryError(ValueError):
    """A repository that cannot be used; the text names the file."""


@dataclass(frozen=True, slots=True)
class Template:
    """One template: what its project's files are made of, by path, and what its manifests say."""

    language: str
    name: str
    files: dict[str, str]
    """Where a file of the project is in the repository."""
    settings: dict[str, Any]


def templates(paths: Collection[str], text: Callable[[str], str]) -> list[Template]:
    """Return the templates of a repository with these files; ``text`` reads a manifest.

    Raises RepositoryError.
    """
    there = frozenset(paths)

    def said(folder: str) -> dict[str, Any]:
        path = f"{folder}{MANIFEST}"
        return _manifest(path, text(path)) if path in there else {}

    top = said("")
    start = _folder(top.get("templates"))
    found: dict[tuple[str, str], dict[str, str]] = {}
    for path in sorted(there):
        parts = path.removeprefix(start).split("/")
        if not path.startswith(start) or len(parts) < 3 or not _is_listed(*parts[:2]):
            continue
        files = found.setdefault((parts[0], parts[1]), {})
        if parts[-1] != MANIFEST:
            files[_inner(path, parts[2:])] = path
    return [
        Template(
            language,
            name,
            files,
            {**top, **said(f"{start}{language}/"), **said(f"{start}{language}/{name}/")},
        )
        for (language, name), files in found.items()
    ]


def project_of(template: Template, name: str, created: str) -> Project:
    """Return what func.yaml of a project says that is made of a template; RepositoryError."""
    settings = template.settings
    invoke = settings.get("invoke")
    said = {
        "name": name,
        "runtime": template.language,
        "created": created,
        "invoke": None if invoke in (None, "", "http") else invoke,
        "build": {key: settings[key] for key in _BUILD if settings.get(key)} or None,
        "run": {"envs": settings.get("runEnvs") or []},
        "deploy": {"healthEndpoints": settings.get("healthEndpoints")},
    }
    try:
        return Project.model_validate(said)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"]))
        raise RepositoryError(
            f"{MANIFEST} of {template.language}/{template.name}: {place}: {wrong['msg']}"
        ) from error


def _manifest(path: str, text: str) -> dict[str, Any]:
    try:
        said = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise RepositoryError(f"{path}: {error}") from error
    if not isinstance(said, dict):
        raise RepositoryError(f"{path} is no mapping")
    return said


def _folder(said: object) -> str:
    """``templates`` of the manifest at the top as a prefix of paths."""
    if not isinstance(said, str | None):
        raise RepositoryError(f"{MANIFEST}: templates: a folder is named by a text")
    inner = (said or "").strip("/").removeprefix("./")
    return "" if inner in ("", ".") else f"{inner}/"


def _is_listed(language: str, name: str) -> bool:
    is_hidden = language.startswith(".") or name.startswith(".")
    return not (is_hidden or language in _NOT_LANGUAGES or name in _NOT_TEMPLATES)


def _inner(path: str, parts: list[str]) -> str:
    """Where a file is in the project, which it is never to leave."""
    if any(part in ("", ".", "..", ".git") for part in parts):
        raise RepositoryError(f"{path} is no path of a project")
    return "/".join(parts)

"""The project in a folder: found, changed, made."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path

from hearth.cli.deploy.wanted import pairs
from hearth.cli.errors import UserError
from hearth.cli.func import repositories
from hearth.functions.deploying.settings import SettingsError, service_name
from hearth.functions.projects.project import (
    FILE,
    Env,
    Label,
    Project,
    ProjectError,
    read_project,
    write_project,
)
from hearth.functions.projects.templates import ELSEWHERE, LANGUAGES, files


def project_in(folder: Path) -> Project:
    """Return the project of a folder, named after it where it has no name; raise UserError."""
    try:
        project = read_project((folder / FILE).read_text())
    except FileNotFoundError as error:
        raise UserError(
            f"there is no {FILE} in {folder}: make a project with `hearth func create NAME`, or "
            "name its folder with --path"
        ) from error
    except (OSError, ProjectError) as error:
        raise UserError(str(error)) from error
    return project if project.name else project.model_copy(update={"name": _name(folder)})


def save(folder: Path, project: Project) -> None:
    """Write a project's func.yaml as a whole, so that nobody reads half of it."""
    fresh = folder / f".{FILE}.new"
    fresh.write_text(write_project(project))
    fresh.replace(folder / FILE)


def create(folder: Path, language: str, template: str, repository: str = "") -> None:
    """Make a project in a folder that is not there or empty; raise UserError.

    ``template`` is one of Hearth's own, of a repository that is kept (``NAME/TEMPLATE``), or of the
    folder or git repository that is named.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty")
    created = datetime.datetime.now(datetime.UTC).isoformat()
    if repository or "/" in template.removeprefix(f"{repositories.OWN}/"):
        repositories.make(folder, _name(folder), language, template, repository, created)
    else:
        _create(folder, language, template.removeprefix(f"{repositories.OWN}/"), created)
    print(f"Created {language} function in {folder}")
    print(f"next: hearth func run --path {folder}, or hearth func deploy --path {folder}")


def _create(folder: Path, language: str, template: str, created: str) -> None:
    if language in ELSEWHERE:
        raise UserError(f"there is no template for {language} here: {ELSEWHERE[language]}")
    if language not in LANGUAGES:
        raise UserError(f"there is no language {language!r}: {', '.join(LANGUAGES)}")
    if template not in LANGUAGES[language]:
        raise UserError(f"there is no template {template!r}: {', '.join(LANGUAGES[language])}")
    for path, text in files(_name(folder), language, template, created).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def templates_of(repository: str) -> dict[str, list[str]]:
    """Return templates by language: of a repository, else Hearth's own and all that are kept."""
    found = {} if repository else {each: list(names) for each, names in LANGUAGES.items()}
    for title, template in repositories.listed(repository):
        found.setdefault(template.language, []).append(title)
    return found


def named(name: str, folder: Path, namespace: str | None) -> tuple[str, str]:
    """Return a function's name and namespace: as given, else as its project says."""
    if name:
        return name, namespace or "default"
    project = project_in(folder)
    return str(project.name), namespace or project.namespace or "default"


def change_envs(folder: Path, add: Sequence[str], remove: Sequence[str]) -> None:
    """Add and remove variables of func.yaml, and print those that are there then."""
    project = project_in(folder)
    added, gone = _changes(add, remove)
    fresh = [Env.model_construct(name=name, value=value) for name, value in added.items()]
    project.run.envs = [env for env in project.run.envs if env.name not in gone] + fresh
    _keep(folder, project, is_changed=bool(gone))
    _print_pairs((env.name, env.value) for env in project.run.envs)


def change_labels(folder: Path, add: Sequence[str], remove: Sequence[str]) -> None:
    """Add and remove labels of func.yaml, and print those that are there then."""
    project = project_in(folder)
    added, gone = _changes(add, remove)
    fresh = [Label.model_construct(key=key, value=value) for key, value in added.items()]
    kept = [label for label in project.deploy.labels if label.key not in gone]
    project.deploy.labels = kept + fresh
    _keep(folder, project, is_changed=bool(gone))
    _print_pairs((label.key, label.value) for label in project.deploy.labels)


def _changes(add: Sequence[str], remove: Sequence[str]) -> tuple[dict[str, str], set[str]]:
    """What comes, and the names of what was there that goes."""
    added = pairs("--add", add)
    return added, {*added, *remove}


def _print_pairs(found: Iterable[tuple[str | None, str | None]]) -> None:
    for name, value in found:
        print(f"{name}={value or ''}" if name else value)


def _keep(folder: Path, project: Project, *, is_changed: bool) -> None:
    """Write what can be read again; raise UserError on what func.yaml cannot hold."""
    if is_changed:
        try:
            read_project(write_project(project))
        except ProjectError as error:
            raise UserError(str(error)) from error
        save(folder, project)


def _name(folder: Path) -> str:
    try:
        return service_name(folder.absolute().name)
    except SettingsError as error:
        raise UserError(f"{folder.name!r} makes no name for a function") from error

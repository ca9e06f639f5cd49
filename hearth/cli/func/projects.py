"""The project in a folder: found, changed, made."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from hearth.cli.errors import UserError
from hearth.cli.func import repositories
from hearth.cli.func.outputs import is_printed
from hearth.functions.deploying.settings import SettingsError, service_name
from hearth.functions.projects.project import (
    FILE,
    SPEC_VERSION,
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


def change_envs(
    folder: Path, add: Mapping[str, str], remove: Collection[str], output: str = "human"
) -> None:
    """Add and remove variables of func.yaml, and print those that are there then.

    A variable without a name is all of what its value refers to.
    """
    project = project_in(folder)
    fresh = [Env.model_construct(name=name or None, value=value) for name, value in add.items()]
    gone = {*add, *remove} - {""}
    project.run.envs = [e for e in project.run.envs if e.name not in gone and e not in fresh]
    project.run.envs += fresh
    _keep(folder, project, is_changed=bool(add or remove))
    _print_pairs(((env.name, env.value) for env in project.run.envs), "name", output)


def change_labels(
    folder: Path, add: Mapping[str, str], remove: Collection[str], output: str = "human"
) -> None:
    """Add and remove labels of func.yaml, and print those that are there then."""
    project = project_in(folder)
    fresh = [Label.model_construct(key=key, value=value) for key, value in add.items()]
    gone = {*add, *remove}
    project.deploy.labels = [e for e in project.deploy.labels if e.key not in gone] + fresh
    _keep(folder, project, is_changed=bool(gone))
    _print_pairs(((label.key, label.value) for label in project.deploy.labels), "key", output)


def _print_pairs(found: Iterable[tuple[str | None, str | None]], name: str, output: str) -> None:
    """For people, or as func.yaml has them."""
    pairs = list(found)
    said = [
        {k: v for k, v in ((name, of), ("value", value)) if v is not None} for of, value in pairs
    ]
    if is_printed(said, output):
        return
    for of, value in pairs:
        print(f"{of}={value or ''}" if of else value)


def environment(folder: Path) -> dict[str, Any]:
    """Return what func's ``environment`` tells plug-ins of editors, as far as it is so here."""
    there = templates_of("")
    ours = importlib.metadata.version("hearth-serving")
    said: dict[str, Any] = {"Version": ours, "SpecVersion": SPEC_VERSION, "Languages": list(there)}
    said |= {"Templates": there, "Environment": _func_variables()}
    if (folder / FILE).exists():
        said["Function"] = yaml.safe_load(write_project(project_in(folder)))
    return said


def _func_variables() -> list[str]:
    return sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith("FUNC_"))


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

"""``hearth init``: a Dockerfile and what goes with it for a folder, from a template."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from hearth.cli.deploy.wanted import pairs
from hearth.cli.draft.packs import templates_of
from hearth.cli.draft.writing import check_inside, write_files
from hearth.cli.errors import UserError
from hearth.functions.building.sources import SourceFolder
from hearth.functions.deploying.settings import SettingsError, service_name
from hearth.functions.detection.application import DetectionError
from hearth.functions.drafting.chart import chart_files
from hearth.functions.drafting.drafting import PORT, chosen, defaults, refusal
from hearth.functions.drafting.kustomization import kustomize_files, manifest_text
from hearth.functions.drafting.service import drafted_service
from hearth.functions.drafting.templates import Template, TemplateError, Variable, filled

_OF_SERVICE = {
    "NAME": Variable(about="The Service's name.", pattern="[a-z]([a-z0-9-]{0,61}[a-z0-9])?"),
    "IMAGE": Variable(about="What its image will be called.", pattern=r"[^\s]+"),
}


@dataclass(frozen=True, slots=True)
class InitOptions:
    """What the command line of ``hearth init`` says."""

    folder: Path
    template: str | None
    packs: Sequence[str]
    variables: Sequence[str]
    helm: str | None
    kustomize: str | None
    manifests: str | None
    dry_run: bool
    output: str
    force: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """What is written, and why."""

    template: Template
    others: Sequence[Template]
    values: Mapping[str, str]
    files: Mapping[str, str]


def show_templates(packs: Sequence[str], output: str) -> None:
    """Print the templates there are, those of packs first."""
    found = templates_of(packs)
    if output == "json":
        shown = [
            {
                "name": each.name,
                "pack": each.pack,
                "about": each.says.about,
                "variables": {k: v.model_dump() for k, v in each.says.variables.items()},
                "files": sorted(each.files),
            }
            for each in found
        ]
        print(json.dumps(shown, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    columns = ("TEMPLATE", "FOR", "VARIABLES", Column("PACK", overflow="fold"))
    table = Table(*columns, box=None, pad_edge=False)
    for each in found:
        cells = (each.name, each.says.about, ", ".join(each.says.variables), each.pack)
        table.add_row(*(escape(cell) for cell in cells))
    Console().print(table)


def run_init(options: InitOptions) -> int:
    """Write the files, or print them; return the exit code; raise UserError with what to do."""
    try:
        draft = _draft(options)
    except (DetectionError, SettingsError, TemplateError) as error:
        raise UserError(str(error)) from error
    if options.output == "json":
        print(json.dumps(_as_json(draft), indent=2))
    elif options.dry_run:
        for path, text in draft.files.items():
            print(f"--- {path}\n{text}", end="" if text.endswith("\n") else "\n")
    if options.dry_run:
        return 0
    write_files(options.folder, draft.files, force=options.force)
    if options.output != "json":
        _tell(options, draft)
    return 0


def _draft(options: InitOptions) -> Draft:
    source = SourceFolder(options.folder.absolute())
    template, *others = chosen(source, templates_of(options.packs), options.template)
    label = options.folder.absolute().name
    known = defaults(source, template, label)
    asked = template.says.variables | ({} if template.has_manifests else _OF_SERVICE)
    given = pairs("--variable", options.variables)
    known.setdefault("NAME", given.get("NAME") or _name_of(label))
    known.setdefault("IMAGE", f"registry.example.com/{known['NAME']}:0.1.0")
    if unknown := given.keys() - asked.keys():
        raise UserError(
            f"template {template.name} has no variable {', '.join(sorted(unknown))}; it has "
            f"{', '.join(asked)}"
        )
    values = _asked(asked, known | given, given)
    if "COMMAND" in asked and "COMMAND" not in values and (why := refusal(source)):
        raise UserError(why)
    files = filled(template, values)
    if not template.has_manifests:
        files |= _manifests(options, values)
    for path in files:
        check_inside(options.folder, path)
    return Draft(template, others, {k: v for k, v in values.items() if k in asked}, files)


def _name_of(label: str) -> str:
    try:
        return service_name(label)
    except SettingsError:
        return "app"


def _asked(
    variables: Mapping[str, Variable], known: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """What is known; on a terminal asked for where no flag says it."""
    values = dict(known)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return values
    for name, variable in variables.items():
        if name not in given:
            text = f"{name} ({variable.about})" if variable.about else name
            values[name] = typer.prompt(text, default=known.get(name), type=str)
    return values


def _manifests(options: InitOptions, values: Mapping[str, str]) -> dict[str, str]:
    """The Service for the image: one file, or a chart or a kustomization in its folder."""
    service = drafted_service(values["NAME"], values["IMAGE"], values.get("PORT", PORT))
    if options.helm is not None:
        return _in(options.helm, chart_files(values["NAME"], [service]))
    if options.kustomize is not None:
        return _in(options.kustomize, kustomize_files([service]))
    return {options.manifests or "service.yaml": manifest_text([service])}


def _in(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder.rstrip('/')}/{path}": text for path, text in files.items()}


def _as_json(draft: Draft) -> dict[str, object]:
    return {
        "template": draft.template.name,
        "pack": draft.template.pack,
        "others": [each.name for each in draft.others],
        "variables": draft.values,
        "files": draft.files,
    }


def _tell(options: InitOptions, draft: Draft) -> None:
    print(f"template {draft.template.name} of {draft.template.pack}: {draft.template.says.about}")
    if draft.others:
        names = ", ".join(each.name for each in draft.others)
        print(f"  these fit as well: {names}; --template NAME chooses")
    for name, value in draft.values.items():
        print(f"  {name}={value}")
    for path in draft.files:
        print(f"wrote {options.folder / path}")
    image = draft.values.get("IMAGE")
    if image is not None and "Dockerfile" in draft.files:
        print(f"next: docker build -t {image} {options.folder} && docker push {image}")
    print("`hearth validate` says what is wrong with the files")

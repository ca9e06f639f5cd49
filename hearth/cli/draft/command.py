"""The command lines of ``hearth init``, ``hearth validate`` and ``hearth export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hearth.cli.options import ClusterOrHere, DataDir, Name, Namespace, folder_of

Many = list[str] | None


def init(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Folder with code.")] = Path(),
    template: Annotated[
        str | None, typer.Option(help="Template to use. Default: the one that fits the code.")
    ] = None,
    pack: Annotated[
        Many, typer.Option(help="Folder or git URL[@COMMIT] with more templates; repeatable.")
    ] = None,
    variable: Annotated[Many, typer.Option(help="NAME=VALUE of the template; repeatable.")] = None,
    helm: Annotated[
        str | None, typer.Option(help="Folder, in FOLDER, for a chart instead of service.yaml.")
    ] = None,
    kustomize: Annotated[
        str | None, typer.Option(help="Folder, in FOLDER, for a kustomization instead.")
    ] = None,
    manifests: Annotated[
        str | None, typer.Option(help="File, in FOLDER, for the Service. Default: service.yaml.")
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the files; write nothing.")
    ] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="text or json.")] = "text",
    force: Annotated[bool, typer.Option("--force", help="Write over what is there.")] = False,
) -> None:
    """Write a Dockerfile, a .dockerignore and a Service for the code in a folder.

    On a terminal it asks for what the code does not say; --variable answers before.
    """
    from hearth.cli.draft.initing import InitOptions, run_init, show_templates

    if list_them:
        show_templates(pack or [], output)
        raise typer.Exit
    options = InitOptions(
        folder=folder,
        template=template,
        packs=pack or [],
        variables=variable or [],
        helm=helm,
        kustomize=kustomize,
        manifests=manifests,
        dry_run=dry_run,
        output=output,
        force=force,
    )
    raise typer.Exit(run_init(options))


def validate(
    places: Annotated[
        Many,
        typer.Argument(
            metavar="[FILE|FOLDER|-]...",
            help="Manifests, charts, kustomizations; else this folder.",
        ),
    ] = None,
    ignore: Annotated[Many, typer.Option(help="Rule to leave out; repeatable.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 for warnings, too.")
    ] = False,
    list_them: Annotated[bool, typer.Option("--list", help="List the rules.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="text or json.")] = "text",
    namespace: Namespace = "default",
) -> None:
    """Check manifests: what a server would refuse, and good practice, with reasons.

    Needs no cluster. Exit code 1 where something would be refused. An object's annotation
    hearth.dev/ignore names rules that it is to be left alone with.
    """
    from hearth.cli.draft.validating import ValidateOptions, run_validate, show_rules

    if list_them:
        show_rules(output)
        raise typer.Exit
    options = ValidateOptions(
        places=places or [],
        ignore=ignore or [],
        strict=strict,
        output=output,
        namespace=namespace,
    )
    raise typer.Exit(run_validate(options))


def export(
    names: Annotated[
        Many,
        typer.Argument(metavar="[NAME...]", help="What to export, as NAME or KIND/NAME; else all."),
    ] = None,
    helm: Annotated[Path | None, typer.Option(help="Folder to write a Helm chart to.")] = None,
    kustomize: Annotated[
        Path | None, typer.Option(help="Folder to write a kustomize base and an overlay to.")
    ] = None,
    manifests: Annotated[
        str | None, typer.Option(help="File to write all objects to; - prints them.")
    ] = None,
    selector: Annotated[
        str | None, typer.Option("--selector", "-l", help="What to export, by labels.")
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(help="Where images of deployed folders are pushed to, as ghcr.io/me."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over what is there.")] = False,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Write what runs as a Helm chart, a kustomization or manifests.

    What belongs to it comes along: Triggers, Brokers, sources, domains, what scales it, Secrets
    (without their values) and ConfigMaps that it names. What a server adds is left out.
    """
    from hearth.cli.draft.exporting import ExportOptions, run_export

    options = ExportOptions(
        names=names or [],
        selector=selector,
        namespace=namespace,
        helm=helm,
        kustomize=kustomize,
        manifests=manifests,
        registry=registry,
        force=force,
        data_dir=folder_of(data_dir, name),
        kubeconfig=kubeconfig,
    )
    raise typer.Exit(run_export(options))

"""The command lines of ``hearth func config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

config_app = typer.Typer(help="Change func.yaml.", no_args_is_help=True)

ProjectPath = Annotated[Path, typer.Option("--path", "-p", help="Folder of the project.")]


Output = Annotated[str, typer.Option("--output", "-o", help="human, json or yaml.")]
Named = Annotated[str, typer.Option("--name", help="Which.")]
Valued = Annotated[str, typer.Option("--value", help="What it is.")]
envs_app = typer.Typer(help="Variables of func.yaml.", invoke_without_command=True)
labels_app = typer.Typer(help="Labels of func.yaml.", invoke_without_command=True)
config_app.add_typer(envs_app, name="envs")
config_app.add_typer(labels_app, name="labels")


@envs_app.callback()
def envs(
    context: typer.Context,
    path: ProjectPath = Path(),
    add: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="NAME; repeatable.")] = None,
    output: Output = "human",
) -> None:
    """List, add and remove variables."""
    from hearth.cli.deploy.wanted import pairs
    from hearth.cli.func.projects import change_envs

    if context.invoked_subcommand is None:
        change_envs(path, pairs("--add", add or []), remove or [], output)


@envs_app.command("add")
def add_env(name: Named = "", value: Valued = "", path: ProjectPath = Path()) -> None:
    """Add a variable: of a name and a value, or all of a Secret or ConfigMap by its value alone."""
    from hearth.cli.func.projects import change_envs

    change_envs(path, {name: value}, [])


@envs_app.command("remove")
def remove_env(name: Named, path: ProjectPath = Path()) -> None:
    """Remove a variable."""
    from hearth.cli.func.projects import change_envs

    change_envs(path, {}, [name])


@labels_app.callback()
def labels(
    context: typer.Context,
    path: ProjectPath = Path(),
    add: Annotated[list[str] | None, typer.Option(help="KEY=VALUE; repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="KEY; repeatable.")] = None,
    output: Output = "human",
) -> None:
    """List, add and remove labels."""
    from hearth.cli.deploy.wanted import pairs
    from hearth.cli.func.projects import change_labels

    if context.invoked_subcommand is None:
        change_labels(path, pairs("--add", add or []), remove or [], output)


@labels_app.command("add")
def add_label(name: Named, value: Valued = "", path: ProjectPath = Path()) -> None:
    """Add a label."""
    from hearth.cli.func.projects import change_labels

    change_labels(path, {name: value}, [])


@labels_app.command("remove")
def remove_label(name: Named, path: ProjectPath = Path()) -> None:
    """Remove a label."""
    from hearth.cli.func.projects import change_labels

    change_labels(path, {}, [name])


@config_app.command("git", hidden=True, context_settings={"ignore_unknown_options": True})
def config_git(words: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Refuse what Hearth has not."""
    from hearth.cli.errors import UserError

    raise UserError("Hearth builds where it is called: there is no repository to set up")


@config_app.command("volumes", hidden=True, context_settings={"ignore_unknown_options": True})
def config_volumes(words: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Refuse what Hearth has not."""
    from hearth.cli.errors import UserError

    raise UserError(
        "volumes are written in func.yaml: run.volumes, each with path and secret, "
        "configMap, persistentVolumeClaim or emptyDir"
    )

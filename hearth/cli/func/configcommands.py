"""The command lines of ``hearth func config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

config_app = typer.Typer(help="Change func.yaml.", no_args_is_help=True)

ProjectPath = Annotated[Path, typer.Option("--path", "-p", help="Folder of the project.")]


@config_app.command()
def envs(
    path: ProjectPath = Path(),
    add: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="NAME; repeatable.")] = None,
) -> None:
    """List, add and remove variables."""
    from hearth.cli.func.projects import change_envs

    change_envs(path, add or [], remove or [])


@config_app.command()
def labels(
    path: ProjectPath = Path(),
    add: Annotated[list[str] | None, typer.Option(help="KEY=VALUE; repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="KEY; repeatable.")] = None,
) -> None:
    """List, add and remove labels."""
    from hearth.cli.func.projects import change_labels

    change_labels(path, add or [], remove or [])


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

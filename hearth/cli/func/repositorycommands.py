"""``hearth func repository``: templates of others, as Knative func keeps them."""

from __future__ import annotations

from typing import Annotated

import typer

repository_app = typer.Typer(
    help="Repositories of templates, as Knative func keeps them.", no_args_is_help=True
)


@repository_app.command("list")
def list_repositories(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Where each came from, too.")
    ] = False,
) -> None:
    """List the repositories that are kept; `default` is Hearth's own templates."""
    from hearth.cli.func.repositories import OWN, names, origin

    for name in (OWN, *names()):
        typer.echo(f"{name}\t{origin(name)}".rstrip() if verbose else name)


@repository_app.command()
def add(
    name: Annotated[str, typer.Argument(help="What it is called from now on.")],
    url: Annotated[
        str, typer.Argument(help="A folder, or a git repository: URL, URL#BRANCH or URL@COMMIT.")
    ],
) -> None:
    """Keep a repository, so that `hearth func create -t NAME/TEMPLATE` finds its templates."""
    from hearth.cli.func.repositories import add, listed

    add(name, url)
    for title, template in listed():
        if title.startswith(f"{name}/"):
            typer.echo(f"{template.language}  {title}")


@repository_app.command()
def rename(
    old: Annotated[str, typer.Argument(help="What it is called.")],
    new: Annotated[str, typer.Argument(help="What it is to be called.")],
) -> None:
    """Give a repository another name."""
    from hearth.cli.func.repositories import rename

    rename(old, new)


@repository_app.command()
def remove(name: Annotated[str, typer.Argument(help="Which.")]) -> None:
    """Forget a repository; projects made of it stay."""
    from hearth.cli.func.repositories import remove

    remove(name)

"""The commands below ``hearth image``: what may be typed. What they do is imported when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hearth.cli.options import DataDir, Name, folder_of

image_app = typer.Typer(help="What image names mean on this machine.", no_args_is_help=True)


@image_app.command(
    "add", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def image_add(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="Image name, as it will stand in YAML.")],
    name: Name = "default",
    data_dir: DataDir = None,
    env: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, repeatable.")] = None,
    workdir: Annotated[Path | None, typer.Option(help="Folder to run in.")] = None,
) -> None:
    """Make an image name mean a command: hearth image add NAME -- COMMAND ARGUMENTS.

    The command must listen on the port that the environment variable PORT names.
    """
    from hearth.cli.images import add_image

    add_image(
        folder_of(data_dir, name), image, context.args, env=env or [], workdir=workdir or Path.cwd()
    )


@image_app.command("list")
def image_list(
    name: Name = "default",
    data_dir: DataDir = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> None:
    """List the commands and the images for containers that are at hand."""
    from hearth.cli.images import list_images

    list_images(folder_of(data_dir, name), output)


@image_app.command("rm")
def image_rm(
    image: Annotated[str, typer.Argument(help="Image name.")],
    name: Name = "default",
    data_dir: DataDir = None,
) -> None:
    """Forget what a name means here, or remove an image; pods that run go on."""
    from hearth.cli.images import remove_image

    remove_image(folder_of(data_dir, name), image)


@image_app.command("pull")
def image_pull(
    image: Annotated[str, typer.Argument(help="Image name.")],
    name: Name = "default",
    data_dir: DataDir = None,
) -> None:
    """Get an image for containers from its registry, before a pod asks for it."""
    from hearth.cli.images import pull_image

    pull_image(folder_of(data_dir, name), image)


@image_app.command("push")
def image_push(
    image: Annotated[str, typer.Argument(help="Image name.")],
    destination: Annotated[
        str | None, typer.Argument(help="Name in the registry; default: the image's own.")
    ] = None,
    name: Name = "default",
    data_dir: DataDir = None,
) -> None:
    """Put an image for containers into a registry, by docker's logins; prints its digest."""
    from hearth.cli.images import push_image

    push_image(folder_of(data_dir, name), image, destination)


@image_app.command("import")
def image_import(
    archive: Annotated[
        Path, typer.Argument(help="What docker save, podman save or skopeo has written.")
    ],
    tag: Annotated[
        str | None, typer.Option("--tag", "-t", help="Image name; default: that it was saved as.")
    ] = None,
    name: Name = "default",
    data_dir: DataDir = None,
) -> None:
    """Take images for containers from an archive."""
    from hearth.cli.images import import_archive

    import_archive(folder_of(data_dir, name), archive, tag)


@image_app.command("prune")
def image_prune(name: Name = "default", data_dir: DataDir = None) -> None:
    """Remove builds and images of containers that no pod, Deployment, Revision or Job names.

    Images that an engine keeps are left to the engine.
    """
    from hearth.cli.images import prune_images

    prune_images(folder_of(data_dir, name))

"""The command lines of ``hearth pipeline``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hearth.cli.options import ClusterOrHere, DataDir, Name, Namespace, folder_of

if TYPE_CHECKING:
    from hearth.cli.pipelines.place import Place

pipeline_app = typer.Typer(
    help="Scripts in Python that events start: hearth pipeline run build.py --event github:push",
    no_args_is_help=True,
)

Many = list[str] | None
Script = Annotated[
    Path, typer.Argument(metavar="FILE|FOLDER", help="A file of Python with @on, or its folder.")
]
Output = Annotated[str, typer.Option("--output", "-o", help="table, json or yaml.")]
As = Annotated[
    str, typer.Option("--as", help="Name of the pipeline. Default: the file's or folder's.")
]
Broker = Annotated[str | None, typer.Option(help="Whose events start it. Default: default.")]
Secrets = Annotated[
    Many, typer.Option("--secret", help="A Secret that its jobs may use; repeatable.")
]
Envs = Annotated[Many, typer.Option("--env", "-e", help="NAME=VALUE; repeatable.")]
Image = Annotated[
    str | None, typer.Option(help="What the script runs in: Python with Hearth. Default: Hearth's.")
]
Concurrency = Annotated[int | None, typer.Option(help="Runs at once. Default: 4.")]
Timeout = Annotated[int | None, typer.Option(help="Seconds a run may take. Default: 3600.")]
Registry = Annotated[
    str | None, typer.Option(help="Where an image of a folder goes, as ghcr.io/me; for clusters.")
]
Base = Annotated[str | None, typer.Option(help="The image that it is made on.")]
Platforms = Annotated[
    Many, typer.Option("--platform", help="What it is for, as linux/arm64; repeatable.")
]
History = Annotated[int | None, typer.Option(help="Finished runs that are kept. Default: 20.")]


def place_of(namespace: str, name: str, data_dir: Path | None, kubeconfig: Path | None) -> Place:
    """Return where the pipelines and runs are that a command line is about."""
    from hearth.cli.pipelines.place import Place

    return Place(namespace, folder_of(data_dir, name), kubeconfig)


@pipeline_app.command()
def create(
    script: Script,
    pipeline: As = "",
    broker: Broker = None,
    secret: Secrets = None,
    env: Envs = None,
    image: Image = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    history: History = None,
    registry: Registry = None,
    base: Base = None,
    platform: Platforms = None,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Make a pipeline of a script, or of a folder with one."""
    from hearth.cli.pipelines import applying

    wanted = applying.wanted(
        script, pipeline, broker, secret, env, image, concurrency, timeout, history,
        registry=registry, base=base, platforms=platform,
    )  # fmt: skip
    place = place_of(namespace, name, data_dir, kubeconfig)
    applying.create(place, wanted, update=False)


@pipeline_app.command()
def apply(
    script: Script,
    pipeline: As = "",
    broker: Broker = None,
    secret: Secrets = None,
    env: Envs = None,
    image: Image = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    history: History = None,
    registry: Registry = None,
    base: Base = None,
    platform: Platforms = None,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Make a pipeline of a script, or bring it up to date; what is not said stays."""
    from hearth.cli.pipelines import applying

    wanted = applying.wanted(
        script, pipeline, broker, secret, env, image, concurrency, timeout, history,
        registry=registry, base=base, platforms=platform,
    )  # fmt: skip
    place = place_of(namespace, name, data_dir, kubeconfig)
    applying.create(place, wanted, update=True)


@pipeline_app.command("run")
def run_pipeline(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|FOLDER|PIPELINE", help="A script, its folder, or a pipeline's name."
        ),
    ],
    event: Annotated[str, typer.Option(help="SOURCE:TYPE of the event, as github:push.")],
    payload: Annotated[
        str, typer.Option(help="What the event carries: JSON, or a file, as FILE or @FILE.")
    ] = "",
    attribute: Annotated[
        Many, typer.Option("--attribute", "-a", help="NAME=VALUE of the event; repeatable.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show what it does; exit code 1 if it fails.")
    ] = False,
    pipeline: As = "",
    broker: Broker = None,
    secret: Secrets = None,
    env: Envs = None,
    image: Image = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    history: History = None,
    registry: Registry = None,
    base: Base = None,
    platform: Platforms = None,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Send an event to a pipeline; of a script it is made or brought up to date first."""
    from hearth.cli.deploy.wanted import pairs
    from hearth.cli.pipelines import applying
    from hearth.cli.pipelines.sending import Sending

    wanted = applying.wanted(
        Path(what), pipeline, broker, secret, env, image, concurrency, timeout, history,
        registry=registry, base=base, platforms=platform,
    )  # fmt: skip
    sending = Sending(event, payload, pairs("--attribute", attribute or []), follow)
    place = place_of(namespace, name, data_dir, kubeconfig)
    raise typer.Exit(applying.run(place, what, wanted, sending))


@pipeline_app.command("list")
def list_pipelines(
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")
    ] = False,
    output: Output = "table",
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """List pipelines."""
    from hearth.cli.pipelines import pipelines

    place = place_of(namespace, name, data_dir, kubeconfig)
    pipelines.list_pipelines(place, output, everywhere=all_namespaces)


@pipeline_app.command()
def describe(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    output: Output = "table",
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Show a pipeline: what starts it, its limits, whether it is ready, its runs."""
    from hearth.cli.pipelines import pipelines

    place = place_of(namespace, name, data_dir, kubeconfig)
    pipelines.describe(place, pipeline, output)


@pipeline_app.command()
def delete(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Delete a pipeline with its Triggers and runs."""
    from hearth.cli.pipelines import pipelines

    place = place_of(namespace, name, data_dir, kubeconfig)
    pipelines.delete(place, pipeline)

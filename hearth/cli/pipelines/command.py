"""The command lines of ``hearth pipeline`` and ``hearth run``."""

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
run_app = typer.Typer(
    help="Runs of pipelines. (`hearth run COMPONENT` runs one part of Hearth, as its pods do.)",
    no_args_is_help=True,
)

Many = list[str] | None
Script = Annotated[Path, typer.Argument(metavar="SCRIPT", help="A file of Python with @on.")]
Output = Annotated[str, typer.Option("--output", "-o", help="table, json or yaml.")]
As = Annotated[str, typer.Option("--as", help="Name of the pipeline. Default: the file's.")]
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
History = Annotated[int | None, typer.Option(help="Finished runs that are kept. Default: 20.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of the run.")]
Runs = Annotated[Many, typer.Argument(metavar="[RUN]...", help="Names of runs.")]
OfPipeline = Annotated[str, typer.Option("--pipeline", "-p", help="Those of one pipeline.")]
Phases = Annotated[Many, typer.Option("--phase", help="Those in this phase; repeatable.")]


def _place(namespace: str, name: str, data_dir: Path | None, kubeconfig: Path | None) -> Place:
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
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Make a pipeline of a script."""
    from hearth.cli.pipelines import applying

    wanted = applying.wanted(
        script, pipeline, broker, secret, env, image, concurrency, timeout, history
    )
    place = _place(namespace, name, data_dir, kubeconfig)
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
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Make a pipeline of a script, or bring it up to date; what is not said stays."""
    from hearth.cli.pipelines import applying

    wanted = applying.wanted(
        script, pipeline, broker, secret, env, image, concurrency, timeout, history
    )
    place = _place(namespace, name, data_dir, kubeconfig)
    applying.create(place, wanted, update=True)


@pipeline_app.command("run")
def run_pipeline(
    what: Annotated[
        str, typer.Argument(metavar="SCRIPT|PIPELINE", help="A script, or a pipeline's name.")
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
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Send an event to a pipeline; of a script it is made or brought up to date first."""
    from hearth.cli.deploy.wanted import pairs
    from hearth.cli.pipelines import applying

    wanted = applying.wanted(
        Path(what), pipeline, broker, secret, env, image, concurrency, timeout, history
    )
    sending = applying.Sending(event, payload, pairs("--attribute", attribute or []), follow)
    place = _place(namespace, name, data_dir, kubeconfig)
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

    place = _place(namespace, name, data_dir, kubeconfig)
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

    place = _place(namespace, name, data_dir, kubeconfig)
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

    place = _place(namespace, name, data_dir, kubeconfig)
    pipelines.delete(place, pipeline)


# -- runs ------------------------------------------------------------------------------------------


@run_app.command("list")
def list_runs(
    pipeline: OfPipeline = "",
    phase: Phases = None,
    output: Output = "table",
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """List runs, the newest first."""
    from hearth.cli.pipelines import runs

    place = _place(namespace, name, data_dir, kubeconfig)
    runs.list_runs(place, runs.Chosen(pipeline=pipeline, phases=phase or ()), output)


@run_app.command("get")
def get_run(
    run: RunName,
    output: Output = "table",
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Show a run: its event, its phase, its jobs, its summary."""
    from hearth.cli.pipelines import runs

    place = _place(namespace, name, data_dir, kubeconfig)
    runs.show_run(place, run, output)


@run_app.command("logs")
def run_logs(
    run: RunName,
    job: Annotated[
        str, typer.Option("--job", "-j", help="Only one job's, or the script's (script).")
    ] = "",
    tail: Annotated[int | None, typer.Option(help="Only the last lines of each pod.")] = None,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Print what the script of a run and its jobs have said."""
    from hearth.cli.pipelines import runs

    place = _place(namespace, name, data_dir, kubeconfig)
    raise typer.Exit(runs.logs(place, run, job, tail))


@run_app.command()
def follow(
    run: RunName,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Show what a run does until it is over; exit code 1 if it fails."""
    from hearth.cli.pipelines.following import follow_run

    place = _place(namespace, name, data_dir, kubeconfig)
    raise typer.Exit(follow_run(place, run))


@run_app.command()
def cancel(
    run: Runs = None,
    pipeline: OfPipeline = "",
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Have runs end, with all their pods; logs stay."""
    from hearth.cli.pipelines import runs

    place = _place(namespace, name, data_dir, kubeconfig)
    runs.cancel(place, runs.Chosen(run or (), pipeline))


@run_app.command()
def clone(
    run: RunName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show what it does.")] = False,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Begin a run for the same event, with the pipeline as it is now."""
    from hearth.cli.pipelines import runs
    from hearth.cli.pipelines.following import follow_run

    place = _place(namespace, name, data_dir, kubeconfig)
    made = runs.clone(place, run)
    raise typer.Exit(follow_run(place, made) if follow else 0)


@run_app.command()
def retry(
    run: RunName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show what it does.")] = False,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Begin a run once more, with the same script; jobs that succeeded count as done."""
    from hearth.cli.pipelines import runs
    from hearth.cli.pipelines.following import follow_run

    place = _place(namespace, name, data_dir, kubeconfig)
    made = runs.retry(place, run)
    raise typer.Exit(follow_run(place, made) if follow else 0)


@run_app.command("delete")
def delete_runs(
    run: Runs = None,
    pipeline: OfPipeline = "",
    phase: Phases = None,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Delete runs with their pods and logs."""
    from hearth.cli.pipelines import runs

    place = _place(namespace, name, data_dir, kubeconfig)
    runs.delete(place, runs.Chosen(run or (), pipeline, phase or ()))

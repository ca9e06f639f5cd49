"""The command lines of ``hearth run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hearth.cli.options import ClusterOrHere, DataDir, Name, Namespace
from hearth.cli.pipelines.command import Many, Output, place_of

run_app = typer.Typer(
    help="Runs of pipelines. (`hearth run COMPONENT` runs one part of Hearth, as its pods do.)",
    no_args_is_help=True,
)

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of the run.")]
Runs = Annotated[Many, typer.Argument(metavar="RUN", help="Names of runs.")]
OfPipeline = Annotated[str, typer.Option("--pipeline", "-p", help="Those of one pipeline.")]
Phases = Annotated[Many, typer.Option("--phase", help="Those in this phase; repeatable.")]


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

    place = place_of(namespace, name, data_dir, kubeconfig)
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

    place = place_of(namespace, name, data_dir, kubeconfig)
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

    place = place_of(namespace, name, data_dir, kubeconfig)
    raise typer.Exit(runs.logs(place, run, job, tail))


@run_app.command("artifacts")
def run_artifacts(
    run: RunName,
    file: Annotated[
        Many,
        typer.Argument(
            metavar="FILE", help="JOB/PATH of files, also with *, or JOB for all of one."
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Folder that files are written to. Default: this one."),
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """List the files that jobs have kept; with FILE or --to, fetch them."""
    from hearth.cli.pipelines import artifacts

    place = place_of(namespace, name, data_dir, kubeconfig)
    if file or to:
        artifacts.fetch(place, run, file or (), to or Path())
    else:
        artifacts.list_artifacts(place, run, output)


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

    place = place_of(namespace, name, data_dir, kubeconfig)
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

    place = place_of(namespace, name, data_dir, kubeconfig)
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

    place = place_of(namespace, name, data_dir, kubeconfig)
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

    place = place_of(namespace, name, data_dir, kubeconfig)
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

    place = place_of(namespace, name, data_dir, kubeconfig)
    runs.delete(place, runs.Chosen(run or (), pipeline, phase or ()))

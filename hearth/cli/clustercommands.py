"""The commands of a cluster: what may be typed. What they do is imported when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hearth.cli.options import Kubeconfig

migrate_app = typer.Typer(help="Come over from Knative and KEDA.", no_args_is_help=True)


def install(
    kubeconfig: Kubeconfig = None,
    overlay: Annotated[
        list[str] | None,
        typer.Option(
            help="small, ha, nodeport, loadbalancer, internal, none or a folder; repeatable. "
            "What is not given stays as it was chosen last."
        ),
    ] = None,
    values: Annotated[
        list[Path] | None, typer.Option(help="File of settings, as for Helm; repeatable.")
    ] = None,
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE, one setting; repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the objects; ask no cluster.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what would change; exit code 1 if anything.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Return when everything serves.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 300.0,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Replace another version.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Take over fields that others have set.")
    ] = False,
) -> None:
    """Install Hearth into a cluster, or bring it up to date there."""
    from hearth.cli.install import InstallOptions, run_install

    options = InstallOptions(
        kubeconfig=kubeconfig,
        overlays=overlay or [],
        values=values or [],
        assignments=assign or [],
        dry_run=dry_run,
        diff=diff,
        wait=wait,
        timeout_seconds=timeout,
        upgrade=upgrade,
        force=force,
    )
    raise typer.Exit(run_install(options))


def uninstall(
    kubeconfig: Kubeconfig = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Definitions and namespaces too, and all in them."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take Hearth out of a cluster; show what would go and ask."""
    from hearth.cli.install import run_uninstall

    raise typer.Exit(run_uninstall(kubeconfig, everything=everything, yes=yes))


@migrate_app.command()
def check(
    kubeconfig: Kubeconfig = None,
    output: Annotated[str, typer.Option("--output", "-o", help="text or json.")] = "text",
) -> None:
    """Read a cluster with Knative or KEDA: what would work, what not, why. Changes nothing."""
    from hearth.cli.migrate import run_check

    raise typer.Exit(run_check(kubeconfig, output))

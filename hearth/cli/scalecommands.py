"""The commands below ``hearth scale``: what may be typed. What they do is imported when called."""

from __future__ import annotations

from typing import Annotated

import typer

from hearth.cli.options import ClusterOrHere, DataDir, Name, Namespace, ServiceName, folder_of

scale_app = typer.Typer(
    help="Ask why a service has the pods it has, or change its bounds.", no_args_is_help=True
)


@scale_app.command("explain")
def scale_explain(
    service: Annotated[
        str, typer.Argument(help="Name of a Knative Service, a revision, or a ScaledObject.")
    ],
    namespace: Namespace = "default",
    output: Annotated[str, typer.Option("--output", "-o", help="text or json.")] = "text",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Say what the autoscaler sees, each rule with its numbers, what decides, when it looks again.

    Nothing changes by being asked.
    """
    import json

    from hearth.cli.eventqueries import check_output
    from hearth.cli.scaleadmin import explanations
    from hearth.cli.scaletext import scale_text

    check_output(output, "text", "json")
    folder = folder_of(data_dir, name)
    told = explanations(kubeconfig, folder, namespace=namespace, service=service)
    typer.echo(json.dumps(told, indent=2) if output == "json" else scale_text(told))


@scale_app.command("set")
def scale_set(
    service: ServiceName,
    least: Annotated[int | None, typer.Option("--min", help="Least pods.")] = None,
    most: Annotated[int | None, typer.Option("--max", help="Most pods; 0 for no bound.")] = None,
    target: Annotated[float | None, typer.Option(help="Requests of one pod to scale for.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Go by the template again.")] = False,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Change how many pods a Service has, without a new revision: in its own annotations.

    They hold instead of what its template says, until --reset, or `hearth deploy` with --min,
    --max or --target.
    """
    from hearth.cli.access import access_of_either
    from hearth.cli.scaleset import set_scale

    given = {"min-scale": least, "max-scale": most, "target": target}
    said = {key: f"{value:.12g}" for key, value in given.items() if value is not None}
    api = access_of_either(kubeconfig, folder_of(data_dir, name))
    typer.echo(set_scale(api, service, namespace, said, reset=reset))

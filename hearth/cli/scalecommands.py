"""The commands below ``hearth scale``: what may be typed. What they do is imported when called."""

from __future__ import annotations

from typing import Annotated

import typer

from hearth.cli.options import ClusterOrHere, DataDir, Name, Namespace, folder_of

scale_app = typer.Typer(help="Ask why a service has the pods it has.", no_args_is_help=True)


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

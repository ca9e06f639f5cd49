"""The command lines of what is done with a Service that is deployed."""

from __future__ import annotations

from typing import Annotated

import typer

from hearth.cli.completion import revision_names
from hearth.cli.options import ClusterOrHere, DataDir, Name, Namespace, ServiceName, folder_of


def rollout(
    service: ServiceName,
    to: Annotated[
        str,
        typer.Argument(
            metavar="SHARE|promote|back|TAG=SHARE|TAG-",
            help="As 50%, promote or back; green=50% for a tagged revision, green- ends a tag.",
        ),
    ],
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait until it is so.")] = 60.0,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Give the latest revision a share of the requests, all of them, or none.

    `promote` is 100% and follows later revisions, too; `back` takes requests to what was before.
    """
    from hearth.cli.access import access_of_either
    from hearth.cli.deploy.rollouts import run_rollout

    api = access_of_either(kubeconfig, folder_of(data_dir, name))
    raise typer.Exit(run_rollout(api, service, namespace, to, wait))


def rollback(
    service: ServiceName,
    revision: Annotated[
        str,
        typer.Argument(
            help="To which. Default: the one before.",
            show_default=False,
            autocompletion=revision_names,
        ),
    ] = "",
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait until it is so.")] = 60.0,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Take all requests back to an earlier revision, as `hearth rollout NAME back`."""
    from hearth.cli.access import access_of_either
    from hearth.cli.deploy.rollouts import run_rollout

    api = access_of_either(kubeconfig, folder_of(data_dir, name))
    raise typer.Exit(run_rollout(api, service, namespace, f"back {revision}".strip(), wait))


def describe(
    service: ServiceName,
    output: Annotated[
        str, typer.Option("--output", "-o", help="text, url, json or yaml.")
    ] = "text",
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Describe a Service: who gets its requests, what runs, what went wrong."""
    from hearth.cli.access import access_of_either
    from hearth.cli.deploy.describing import describe

    describe(access_of_either(kubeconfig, folder_of(data_dir, name)), service, namespace, output)


def open_service(
    service: ServiceName,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Print a Service's URL, and open it in a browser where there is one."""
    import webbrowser

    from hearth.cli.access import access_of_either
    from hearth.cli.services import url_of

    api = access_of_either(kubeconfig, folder_of(data_dir, name))
    url = url_of(api, service, namespace)
    typer.echo(url)
    webbrowser.open(url)


def delete(
    service: ServiceName,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Delete a Service with its revisions and pods."""
    from hearth.cli.access import access_of_either
    from hearth.cli.services import delete

    delete(access_of_either(kubeconfig, folder_of(data_dir, name)), service, namespace)

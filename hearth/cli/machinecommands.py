"""The commands of one machine: what may be typed. What they do is imported when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hearth.cli import completion
from hearth.cli.options import ClusterOrHere, DataDir, Name, Namespace, ServiceName, folder_of
from hearth.cli.runtimes import Runtime, choose


def up(
    name: Name = "default",
    data_dir: DataDir = None,
    port: Annotated[int, typer.Option(help="Port of the gateway; 0 takes a free one.")] = 8080,
    api_port: Annotated[int, typer.Option(help="Port of the Kubernetes API; 0: a free one.")] = 0,
    tls: Annotated[
        bool, typer.Option("--tls", help="Serve https, by an authority of this machine.")
    ] = False,
    tls_port: Annotated[
        int | None,
        typer.Option(help="Port for https: 8443 with --tls, else a free one when it is needed."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    workers: Annotated[
        str,
        typer.Option(help="Processes that share the gateway's port; auto: one for each core."),
    ] = "1",
    runtime: Annotated[
        Runtime, typer.Option(help="What runs images that are no known commands of this machine.")
    ] = Runtime.AUTO,
    pod_range: Annotated[
        str, typer.Option(help="Range that a network for containers is taken of, as root.")
    ] = "10.128.0.0/9",
    isolate: Annotated[
        bool, typer.Option("--isolate", help="Give each process pod its own view of the machine.")
    ] = False,
    events: Annotated[
        str,
        typer.Option(
            help="local, or nats: start NATS JetStream too, for Brokers of class "
            "NatsJetStreamBroker."
        ),
    ] = "local",
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once ready and go on in the background.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens.")] = False,
) -> None:
    """Start the embedded Kubernetes API, the node, the controllers and the gateway."""
    from hearth.cli.layout import count_of_workers
    from hearth.cli.nats import wants_nats
    from hearth.cli.up import UpOptions, up

    options = UpOptions(
        data_dir=folder_of(data_dir, name),
        name=name,
        host=host,
        port=port,
        api_port=api_port,
        has_tls=tls,
        tls_port=tls_port,
        detach=detach,
        verbose=verbose,
        workers=count_of_workers(workers),
        pods=choose(runtime, pod_range=pod_range),
        isolate=isolate,
        has_nats=wants_nats(events),
    )
    raise typer.Exit(up(options))


def down(name: Name = "default", data_dir: DataDir = None) -> None:
    """Stop Hearth; what is stored stays."""
    from hearth.cli.lifecycle import down

    down(folder_of(data_dir, name))


def reset(
    name: Name = "default",
    data_dir: DataDir = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop Hearth and delete everything it stored."""
    from hearth.cli.lifecycle import reset

    folder = folder_of(data_dir, name)
    if not yes:
        typer.confirm(f"Delete {folder} with every object, log and event in it?", abort=True)
    reset(folder)


def status(
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> None:
    """Show addresses, processes or pods, services and what is in trouble.

    Exit code 0 when all is well, 1 when something needs a look, 3 when Hearth does not run.
    """
    from hearth.cli.clusterstatus import show_cluster_status
    from hearth.cli.status import show_status

    if kubeconfig is not None:
        raise typer.Exit(show_cluster_status(kubeconfig, output))
    raise typer.Exit(show_status(folder_of(data_dir, name), output))


def logs(
    service: ServiceName,
    namespace: Namespace = "default",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    tail: Annotated[int | None, typer.Option(help="Only the last lines of each pod.")] = None,
    since: Annotated[str, typer.Option(help="Only what is newer than that: 5s, 2m, 3h.")] = "",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Print the logs of a service's pods."""
    from hearth.cli.access import access_of_either
    from hearth.cli.logs import LogOptions, print_logs

    options = LogOptions(service, namespace, follow, tail, since)
    raise typer.Exit(print_logs(access_of_either(kubeconfig, folder_of(data_dir, name)), options))


def top(
    pods: Annotated[bool, typer.Option("--pods", help="Pods instead of services.")] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Once, as without a terminal; else until Ctrl-C.")
    ] = False,
    interval: Annotated[float, typer.Option(help="Seconds between two looks.")] = 2.0,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            help="Namespace. Default: all.",
            autocompletion=completion.namespace_names,
        ),
    ] = None,
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Show what services do at the moment: requests, pods, latencies, CPU, memory, cold starts."""
    from hearth.cli.top.run import TopOptions, run_top

    options = TopOptions(namespace, pods, once, interval, output)
    raise typer.Exit(run_top(folder_of(data_dir, name), kubeconfig, options))


def doctor(
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Look for what stands in the way, on this machine or in a cluster, and say what to do.

    Exit code 0 where nothing keeps Hearth from working, 1 where something does.
    """
    from hearth.cli.doctor.run import run_doctor

    raise typer.Exit(run_doctor(folder_of(data_dir, name), kubeconfig, output))


def bindings(
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """List what `hearth deploy --bind` can reach: Secrets, services, servers that run here."""
    from hearth.cli.access import access_of_either
    from hearth.cli.binding.listing import show_bindings

    api = access_of_either(kubeconfig, folder_of(data_dir, name))
    show_bindings(api, namespace, output, is_here=kubeconfig is None)


def build(
    folder: Annotated[Path, typer.Argument(help="Folder with an application or a Dockerfile.")],
    tag: Annotated[str, typer.Option("--tag", "-t", help="Image name to give it.")],
    name: Name = "default",
    data_dir: DataDir = None,
) -> None:
    """Make an image name stand for the application in a folder."""
    from hearth.cli.images import build_image

    build_image(folder_of(data_dir, name), folder, tag)


def demo(
    tour: Annotated[
        str,
        typer.Argument(
            help="tour (services, scaling, events) or coffeeshop (100 orders; a barista, the "
            "broker and the board are killed on the way)."
        ),
    ] = "tour",
    events: Annotated[
        str,
        typer.Option(help="local, or nats: the coffee shop moves to NATS JetStream under way."),
    ] = "local",
    keep: Annotated[bool, typer.Option(help="Keep the state folder afterwards.")] = False,
) -> None:
    """Run a whole tour in a temporary folder and show what happened and how long it took."""
    from hearth.cli.demo.run import run_demo

    raise typer.Exit(run_demo(tour, events=events, keep=keep))


def print_completion(
    shell: Annotated[completion.Shell, typer.Argument(help="Which shell.")],
) -> None:
    """Print what a shell reads to complete commands, options and names.

    In a shell's start file: `source <(hearth completion bash)`, the same with zsh, or
    `hearth completion fish | source`.
    """
    typer.echo(completion.script(shell))


def version() -> None:
    """Print the version."""
    from importlib.metadata import version

    typer.echo(f"hearth {version('hearth-serving')}")

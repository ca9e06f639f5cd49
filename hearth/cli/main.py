"""The ``hearth`` command. Each command imports what it needs when it is called."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hearth.cli import completion
from hearth.cli.deploy.command import deploy
from hearth.cli.deploy.servicecommands import (
    delete,
    describe,
    open_service,
    rollback,
    rollout,
)
from hearth.cli.draft.command import export, init, validate
from hearth.cli.errors import UserError
from hearth.cli.eventcommands import event_app
from hearth.cli.func.command import func_app
from hearth.cli.imagecommands import image_app
from hearth.cli.options import (
    ClusterOrHere,
    DataDir,
    Kubeconfig,
    Name,
    Namespace,
    ServiceName,
    folder_of,
)
from hearth.cli.page.command import ui
from hearth.cli.pipelines.command import pipeline_app, run_app
from hearth.cli.runtimes import Runtime, choose
from hearth.cli.scalecommands import scale_app
from hearth.cli.simulatecommand import simulate

app = typer.Typer(
    name="hearth",
    help="Serving and eventing the Knative way, on one machine and on any Kubernetes. "
    "Begin with: hearth up, or in a cluster: hearth install",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(image_app, name="image")
app.add_typer(event_app, name="event")
app.add_typer(scale_app, name="scale")
app.add_typer(func_app, name="func")
app.add_typer(pipeline_app, name="pipeline")
app.add_typer(run_app, name="run")
app.command()(deploy)
app.command()(rollout)
app.command()(rollback)
app.command()(describe)
app.command("open")(open_service)
app.command()(delete)
app.command()(init)
app.command()(validate)
app.command()(export)
app.command()(ui)
app.command()(simulate)
migrate_app = typer.Typer(help="Come over from Knative and KEDA.", no_args_is_help=True)
app.add_typer(migrate_app, name="migrate")


@app.command()
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


@app.command()
def down(name: Name = "default", data_dir: DataDir = None) -> None:
    """Stop Hearth; what is stored stays."""
    from hearth.cli.lifecycle import down

    down(folder_of(data_dir, name))


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command("completion")
def print_completion(
    shell: Annotated[completion.Shell, typer.Argument(help="Which shell.")],
) -> None:
    """Print what a shell reads to complete commands, options and names.

    In a shell's start file: `source <(hearth completion bash)`, the same with zsh, or
    `hearth completion fish | source`.
    """
    typer.echo(completion.script(shell))


@app.command()
def logs(
    service: ServiceName,
    namespace: Namespace = "default",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    tail: Annotated[int | None, typer.Option(help="Only the last lines of each pod.")] = None,
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Print the logs of a service's pods."""
    from hearth.cli.access import access_of_either
    from hearth.cli.logs import LogOptions, print_logs

    options = LogOptions(service, namespace, follow, tail)
    raise typer.Exit(print_logs(access_of_either(kubeconfig, folder_of(data_dir, name)), options))


@app.command()
def build(
    folder: Annotated[Path, typer.Argument(help="Folder with an application or a Dockerfile.")],
    tag: Annotated[str, typer.Option("--tag", "-t", help="Image name to give it.")],
    name: Name = "default",
    data_dir: DataDir = None,
) -> None:
    """Make an image name stand for the application in a folder."""
    from hearth.cli.images import build_image

    build_image(folder_of(data_dir, name), folder, tag)


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version

    typer.echo(f"hearth {version('hearth-serving')}")


_FOLDER_ERRORS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES),
    *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.ENOENT),
)


def _alone() -> None:
    from hearth.cli.nextstep import show_next_step

    data_dir = os.environ.get("HEARTH_DATA_DIR")
    name = os.environ.get("HEARTH_NAME") or "default"
    show_next_step(folder_of(Path(data_dir) if data_dir else None, name))


def run() -> None:
    """Entry point: errors the user can mend are one line, without a traceback."""
    completion.prepare()
    try:
        if len(sys.argv) == 1 and sys.stdout.isatty():
            _alone()
        else:
            app()
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.errno not in _FOLDER_ERRORS:
            raise
        print(f"Error: {error.filename or 'state folder'}: {error.strerror}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()

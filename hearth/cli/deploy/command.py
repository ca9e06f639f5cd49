"""The command line of ``hearth deploy``."""

from __future__ import annotations

from typing import Annotated

import typer

from hearth.cli.options import ClusterOrHere, DataDir, Name, folder_of

Many = list[str] | None


def deploy(
    what: Annotated[
        str, typer.Argument(metavar="FOLDER|FILE|IMAGE", help="What to run.", show_default=False)
    ] = ".",
    service: Annotated[
        str | None, typer.Option("--service", help="Name of the Service. Default: the folder's.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="Share of the requests for the new revision, as 10%; others keep theirs."
        ),
    ] = None,
    no_traffic: Annotated[
        bool, typer.Option("--no-traffic", help="As --to 0%: it is only at its own URL.")
    ] = False,
    tag: Annotated[
        str,
        typer.Option(
            help="A URL of its own for the revision, https://TAG-SERVICE...; with --no-traffic "
            "that alone."
        ),
    ] = "",
    revision_suffix: Annotated[
        str, typer.Option("--revision-suffix", help="What the revision's name ends with.")
    ] = "",
    env: Annotated[
        Many, typer.Option("--env", "-e", help="NAME=VALUE, or NAME- for none; repeatable.")
    ] = None,
    update_env_vars: Annotated[
        Many, typer.Option("--update-env-vars", help="NAME=VALUE,NAME=VALUE, as gcloud has them.")
    ] = None,
    remove_env_vars: Annotated[
        Many, typer.Option("--remove-env-vars", help="NAME,NAME, as gcloud has them.")
    ] = None,
    secret: Annotated[
        Many,
        typer.Option(
            "--secret", "--update-secrets", help="NAME=SECRET:KEY or /PATH=SECRET; repeatable."
        ),
    ] = None,
    bind: Annotated[
        Many,
        typer.Option(
            "--bind",
            help="NAME[=AS] of a Secret, a service, a server that runs here (postgres, redis), or "
            "a URL: what it reaches; repeatable. See hearth bindings.",
        ),
    ] = None,
    unbind: Annotated[
        Many, typer.Option("--unbind", help="Name (AS) of a binding that ends; repeatable.")
    ] = None,
    min_pods: Annotated[
        int | None, typer.Option("--min", "--min-instances", "--scale-min", help="Least pods.")
    ] = None,
    max_pods: Annotated[
        int | None, typer.Option("--max", "--max-instances", "--scale-max", help="Most pods.")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", "--concurrency-limit", help="Requests a pod gets at once."),
    ] = None,
    target: Annotated[
        int | None,
        typer.Option("--concurrency-target", help="Requests at once that a pod is scaled for."),
    ] = None,
    label: Annotated[
        Many, typer.Option("--label", "-l", help="NAME=VALUE of a revision; repeatable.")
    ] = None,
    annotation: Annotated[
        Many, typer.Option("--annotation", "-a", help="NAME=VALUE of a revision; repeatable.")
    ] = None,
    command: Annotated[
        Many, typer.Option("--command", "--cmd", help="What the image runs; a word each.")
    ] = None,
    arg: Annotated[
        Many, typer.Option("--arg", "--args", help="Argument of what it runs; repeatable.")
    ] = None,
    cpu: Annotated[str | None, typer.Option(help="Limit of cores, as 1 or 500m.")] = None,
    memory: Annotated[str | None, typer.Option(help="Limit of memory, as 256Mi.")] = None,
    port: Annotated[int | None, typer.Option("--port", "-p", help="Port it listens on.")] = None,
    timeout: Annotated[int | None, typer.Option(help="Seconds that a request may take.")] = None,
    private: Annotated[
        bool | None,
        typer.Option(
            "--private/--public",
            "--cluster-local/--no-cluster-local",
            help="Whether only other services reach it.",
        ),
    ] = None,
    warm: Annotated[
        bool | None,
        typer.Option(
            "--warm/--no-warm", help="Whether Python is forked with its packages imported."
        ),
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="A name of your own that reaches it, too.")
    ] = None,
    service_account: Annotated[
        str | None, typer.Option("--service-account", help="Account its pods run as.")
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(help="Where an image made of the folder goes, as ghcr.io/me; for clusters."),
    ] = None,
    base: Annotated[str | None, typer.Option(help="The image that it is made on.")] = None,
    platform: Annotated[
        Many, typer.Option(help="What it is for, as linux/arm64; repeatable.")
    ] = None,
    build: Annotated[
        str | None,
        typer.Option(
            metavar="code|FILE",
            help="What is built where there are both: the folder's code, or this Dockerfile.",
        ),
    ] = None,
    build_arg: Annotated[
        Many, typer.Option("--build-arg", help="NAME=VALUE for a Dockerfile's ARG; repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what was found and why; change nothing.")
    ] = False,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait until it serves.")] = 120.0,
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="text, url or json; progress goes to stderr then."),
    ] = "text",
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Default: func.yaml's, else default.")
    ] = None,
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Run a folder, a file or an image as a Service, and print its URL.

    What is not said stays as the Service has it. A file hearth.toml in the folder may say the same
    things; what the command line says goes before.
    """  # fmt: skip
    from hearth.cli.deploy.run import run_deploy
    from hearth.cli.deploy.wanted import DeployOptions, both

    options = DeployOptions(
        what=what,
        flags={
            "name": service, "env": both(env, update_env_vars, remove_env_vars),
            "labels": label, "annotations": annotation, "command": command, "args": arg,
            "secrets": secret, "bind": bind, "min": min_pods, "max": max_pods,
            "concurrency": concurrency, "target": target, "cpu": cpu, "memory": memory,
            "port": port, "timeout": timeout, "private": private, "warm": warm,
            "domain": domain,
            "service_account": service_account, "registry": registry, "base": base,
            "platforms": platform, "build": build, "build_args": build_arg,
        },
        to="0%" if no_traffic else to,
        output=output,
        dry_run=dry_run,
        wait_seconds=wait,
        namespace=namespace,
        data_dir=folder_of(data_dir, name),
        kubeconfig=kubeconfig,
        tag=tag,
        suffix=revision_suffix,
        unbind=unbind or (),
    )  # fmt: skip
    raise typer.Exit(run_deploy(options))

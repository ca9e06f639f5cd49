"""The command lines of ``hearth func``, with the flags of Knative's func."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hearth.cli.func.configcommands import config_app, envs_app, labels_app
from hearth.cli.func.flags import as_funcs
from hearth.cli.func.repositorycommands import repository_app
from hearth.cli.options import ClusterOrHere, DataDir, Name, folder_of

func_app = typer.Typer(help="Functions, as Knative's func has them.", no_args_is_help=True)
func_app.add_typer(config_app, name="config")
func_app.add_typer(repository_app, name="repository")

ProjectPath = Annotated[Path, typer.Option("--path", "-p", help="Folder of the project.")]
MaybeNamespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Default: the project's, else default.")
]
Output = Annotated[str, typer.Option("--output", "-o", help="human, plain, json or yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
RepositoryUrl = Annotated[
    str,
    typer.Option(
        "--repository",
        "-r",
        envvar="FUNC_REPOSITORY",
        help="Templates of a folder or a git repository: URL, URL#BRANCH or URL@COMMIT.",
    ),
]
Envs = Annotated[list[str] | None, typer.Option("--env", "-e", help="NAME=VALUE; repeatable.")]
HERE = Path()


@func_app.command()
def create(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[FOLDER]", help="Folder to make it in.", show_default=False),
    ] = None,
    path: ProjectPath = HERE,
    language: Annotated[str, typer.Option("--language", "-l", help="What it is in.")] = "python",
    template: Annotated[
        str,
        typer.Option("--template", "-t", help="http, cloudevents, or REPOSITORY/TEMPLATE."),
    ] = "http",
    repository: RepositoryUrl = "",
) -> None:
    """Make the project of a new function."""
    from hearth.cli.func.projects import create

    create(folder or path, language, template, repository)


@func_app.command()
def languages(repository: RepositoryUrl = "", as_json: AsJson = False) -> None:
    """List the languages and the templates of each."""
    from hearth.cli.func.outputs import is_printed
    from hearth.cli.func.projects import templates_of

    found = templates_of(repository)
    if not is_printed(list(found), "json" if as_json else "human"):
        for language, templates in found.items():
            typer.echo(f"{language}: {', '.join(templates)}")


@func_app.command()
def templates(
    language: Annotated[str, typer.Argument(help="Of one language.", show_default=False)] = "",
    repository: RepositoryUrl = "",
    as_json: AsJson = False,
) -> None:
    """List the templates of each language, a line each."""
    from hearth.cli.func.outputs import is_printed
    from hearth.cli.func.projects import templates_of

    found = templates_of(repository)
    of_one = found.get(language, [])
    if is_printed(of_one if language else found, "json" if as_json else "human"):
        return
    for each in of_one if language else [f"{of}  {t}" for of, all in found.items() for t in all]:
        typer.echo(each)


@func_app.command()
def version(
    output: Annotated[str, typer.Option("--output", "-o", help="human, json or yaml.")] = "human",
) -> None:
    """Print the versions of Hearth and of the func.yaml that it writes."""
    from importlib.metadata import version

    from hearth.cli.func.outputs import is_printed
    from hearth.functions.projects.project import SPEC_VERSION

    ours = version("hearth-serving")
    if not is_printed({"version": ours, "specVersion": SPEC_VERSION}, output):
        typer.echo(f"hearth {ours}, func.yaml {SPEC_VERSION}")


@func_app.command()
def environment(
    path: ProjectPath = HERE,
    format: Annotated[str, typer.Option("--format", "-f", help="json or yaml.")] = "json",
) -> None:
    """Print what editors' plug-ins for func ask: versions, languages, templates, the project."""
    from hearth.cli.func.outputs import is_printed
    from hearth.cli.func.projects import environment

    is_printed(environment(path), format)


@func_app.command()
def build(path: ProjectPath = HERE) -> None:
    """Make a function ready to run here; `hearth func deploy` makes images, too."""
    from hearth.cli.func.projects import project_in
    from hearth.cli.func.running import built_function

    project_in(path)
    typer.echo(f"built in {built_function(path.absolute()).folder}")


@func_app.command()
def run(
    path: ProjectPath = HERE,
    env: Envs = None,
    address: Annotated[
        str, typer.Option(help="HOST:PORT. Default: loopback, 8080 or a free port.")
    ] = "",
) -> None:
    """Run a function here, without Hearth, until Ctrl-C."""
    from hearth.cli.deploy.wanted import pairs
    from hearth.cli.func.projects import project_in
    from hearth.cli.func.running import run_function

    project_in(path)
    raise typer.Exit(run_function(path.absolute(), address, pairs("--env", env or [])))


@func_app.command()
def deploy(
    path: ProjectPath = HERE,
    env: Envs = None,
    registry: Annotated[
        str | None, typer.Option("--registry", "-r", help="Where its image goes; for clusters.")
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", "--base-image", help="The image that it is made on.")
    ] = None,
    platform: Annotated[str | None, typer.Option(help="What it is for, as linux/arm64.")] = None,
    domain: Annotated[str | None, typer.Option(help="A name of your own that reaches it.")] = None,
    service_account: Annotated[str | None, typer.Option(help="Account its pods run as.")] = None,
    warm: Annotated[
        bool | None,
        typer.Option(
            "--warm/--no-warm", help="Whether Python is forked with its packages imported."
        ),
    ] = None,
    namespace: MaybeNamespace = None,
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Build a function, run it as a Service, and make the Triggers of its subscriptions."""
    from hearth.cli.deploy.run import run_deploy
    from hearth.cli.deploy.wanted import DeployOptions
    from hearth.cli.func.projects import project_in

    project_in(path)
    flags = {
        "env": env,
        "registry": registry,
        "base": base,
        "platforms": [platform] if platform else None,
        "domain": domain,
        "service_account": service_account,
        "warm": warm,
    }
    options = DeployOptions(
        what=str(path),
        flags=flags,
        to=None,
        dry_run=False,
        wait_seconds=120.0,
        namespace=namespace,
        data_dir=folder_of(data_dir, name),
        kubeconfig=kubeconfig,
    )
    raise typer.Exit(run_deploy(options))


@func_app.command()
def invoke(
    path: ProjectPath = HERE,
    target: Annotated[
        str,
        typer.Option("--target", "-t", help="local, remote or a URL. Default: local if it runs."),
    ] = "",
    format: Annotated[str, typer.Option("--format", "-f", help="http or cloudevent.")] = "",
    id: Annotated[str, typer.Option(help="Of the event.")] = "",
    source: Annotated[str, typer.Option(help="Of the event.")] = "/boson/fn",
    type: Annotated[str, typer.Option(help="Of the event.")] = "boson.fn",
    data: Annotated[str, typer.Option(help="What is sent.")] = '{"message":"Hello World"}',
    file: Annotated[Path | None, typer.Option(help="A file to send, in base64.")] = None,
    content_type: Annotated[str, typer.Option(help="Of the data.")] = "application/json",
    extension: Annotated[
        list[str] | None,
        typer.Option("--extension", "-e", help="NAME=VALUE of the event; repeatable."),
    ] = None,
    request_type: Annotated[str, typer.Option(help="POST or GET.")] = "POST",
    namespace: MaybeNamespace = None,
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Send a function a request or an event, and print its answer."""
    from hearth.cli.func.invoking import Message, file_data, invoke, place_of

    message = Message(
        id, source, type, file_data(file) if file else data, content_type, extension or []
    )
    folder = folder_of(data_dir, name)
    place = place_of(path, target, namespace, kubeconfig, folder)
    authority = folder / "tls" / "ca.crt"
    said = invoke(place, message, format=format, method=request_type, authority=authority)
    raise typer.Exit(said)


@func_app.command("list")
def list_functions(
    namespace: Annotated[str, typer.Option("--namespace", "-n")] = "default",
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")
    ] = False,
    output: Output = "human",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """List the functions that are deployed."""
    from hearth.cli.access import access_of_either
    from hearth.cli.func.deployed import show_functions

    api = access_of_either(kubeconfig, folder_of(data_dir, name))
    show_functions(api, None if all_namespaces else namespace, output)


FunctionName = Annotated[
    str, typer.Argument(metavar="[NAME]", help="Default: the project's.", show_default=False)
]


@func_app.command()
def describe(
    function: FunctionName = "",
    path: ProjectPath = HERE,
    output: Annotated[
        str, typer.Option("--output", "-o", help="human, plain, json, yaml or url.")
    ] = "human",
    namespace: MaybeNamespace = None,
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Describe a function that is deployed."""
    from hearth.cli.access import access_of_either
    from hearth.cli.func.deployed import describe
    from hearth.cli.func.projects import named

    found, where = named(function, path, namespace)
    describe(access_of_either(kubeconfig, folder_of(data_dir, name)), found, where, output)


@func_app.command()
def logs(
    function: FunctionName = "",
    path: ProjectPath = HERE,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    tail: Annotated[int | None, typer.Option(help="Only the last lines of each pod.")] = None,
    since: Annotated[
        str, typer.Option(help="Only what is newer than that: 5s, 2m, 3h. Default: all.")
    ] = "",
    namespace: MaybeNamespace = None,
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Print the logs of a function's pods."""
    from hearth.cli.access import access_of_either
    from hearth.cli.func.projects import named
    from hearth.cli.logs import LogOptions, print_logs

    found, where = named(function, path, namespace)
    options = LogOptions(found, where, follow, tail, since)
    raise typer.Exit(print_logs(access_of_either(kubeconfig, folder_of(data_dir, name)), options))


@func_app.command()
def delete(
    function: FunctionName = "",
    path: ProjectPath = HERE,
    namespace: MaybeNamespace = None,
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Delete a function that is deployed; its project stays."""
    from hearth.cli.access import access_of_either
    from hearth.cli.func.projects import named
    from hearth.cli.services import delete

    found, where = named(function, path, namespace)
    delete(access_of_either(kubeconfig, folder_of(data_dir, name)), found, where)


@func_app.command()
def subscribe(
    path: ProjectPath = HERE,
    filter: Annotated[
        list[str] | None, typer.Option("--filter", "-f", help="ATTRIBUTE=VALUE; repeatable.")
    ] = None,
    source: Annotated[str, typer.Option("--source", "-s", help="The Broker.")] = "default",
) -> None:
    """Have a function get events from its next deployment on."""
    from hearth.cli.deploy.wanted import pairs
    from hearth.cli.func.projects import project_in, save
    from hearth.functions.projects.manifest import subscribed

    save(path, subscribed(project_in(path), source, pairs("--filter", filter or [])))


as_funcs(func_app, config_app, envs_app, labels_app, repository_app)

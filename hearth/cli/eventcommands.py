"""The commands below ``hearth event``: what may be typed. What they do is imported when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hearth.cli.options import ClusterOrHere, DataDir, Name, Namespace, folder_of

event_app = typer.Typer(help="Send CloudEvents, and ask what became of them.", no_args_is_help=True)

Broker = Annotated[str, typer.Option(help="broker NAME or NAMESPACE/NAME.")]
Channel = Annotated[
    str | None, typer.Option(help="channel NAME or NAMESPACE/NAME, instead of a broker.")
]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="The newest ones, so many at most.")]
TableOrJson = Annotated[str, typer.Option("--output", "-o", help="table or json.")]
TextOrJson = Annotated[str, typer.Option("--output", "-o", help="text or json.")]


@event_app.command("send")
def event_send(
    to: Annotated[
        str, typer.Option(help="broker NAME, NAMESPACE/NAME, or a URL.", show_default=True)
    ] = "default",
    type: Annotated[str, typer.Option(help="Attribute type.")] = "dev.hearth.event",
    source: Annotated[str, typer.Option(help="Attribute source.")] = "hearth/cli",
    id: Annotated[str | None, typer.Option(help="Attribute id; a fresh one by default.")] = None,
    subject: Annotated[str | None, typer.Option(help="Attribute subject.")] = None,
    data: Annotated[str, typer.Option(help="JSON, text, or @FILE.")] = "{}",
    content_type: Annotated[str | None, typer.Option(help="Media type of the data.")] = None,
    extension: Annotated[
        list[str] | None, typer.Option("--extension", "-e", help="NAME=VALUE, repeatable.")
    ] = None,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Send one CloudEvent to a broker or a URL, and say what came of it."""
    from hearth.cli.events import EventOptions, send

    options = EventOptions(
        to=to,
        type=type,
        source=source,
        id=id,
        subject=subject,
        data=data,
        content_type=content_type,
        extensions=extension or [],
        namespace=namespace,
    )
    raise typer.Exit(send(folder_of(data_dir, name), kubeconfig, options))


@event_app.command("create-broker")
def event_create_broker(
    broker: Annotated[str, typer.Argument(help="Its name.")] = "default",
    broker_class: Annotated[
        str | None,
        typer.Option("--class", help="Kafka, NatsJetStreamBroker ... Default: the cluster's."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait until it is ready.")] = 60.0,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Make a Broker, to which events are sent, and print its address once it is ready."""
    from hearth.cli.access import access_of_either
    from hearth.cli.eventbroker import create_broker

    api = access_of_either(kubeconfig, folder_of(data_dir, name))
    print(create_broker(api, broker, namespace, broker_class=broker_class, seconds=timeout))


@event_app.command("hook")
def event_hook(
    source: Annotated[str, typer.Argument(help="The WebhookSource.")],
    event: Annotated[
        str, typer.Option(help="What happens: push, /deploy, charge.failed; as its sender has it.")
    ] = "",
    payload: Annotated[
        Path | None, typer.Option(help="A file with the body; a small one by default.")
    ] = None,
    id: Annotated[str | None, typer.Option(help="Of the delivery; a fresh one by default.")] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="NAME=VALUE, repeatable.")
    ] = None,
    namespace: Namespace = "default",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Send a test delivery to a WebhookSource, signed as its sender would, and tell the answer."""
    from hearth.cli.access import access_of_either
    from hearth.cli.eventhook import HookOptions, hook

    folder = folder_of(data_dir, name)
    of_cluster = kubeconfig is not None
    options = HookOptions(source, namespace, event, payload, id, header or [], of_cluster)
    raise typer.Exit(hook(access_of_either(kubeconfig, folder), options, folder / "tls" / "ca.crt"))


@event_app.command("trace")
def event_trace(
    id: Annotated[str, typer.Argument(help="The id of the event.")],
    output: TextOrJson = "text",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Tell where an event is: what it matched and why not, each attempt, replies, dead letters.

    Exit code 0 where something is known of the event, 1 where nothing is.
    """
    from hearth.cli.eventadmin import BrokerProcess
    from hearth.cli.eventqueries import trace

    broker = BrokerProcess.of(kubeconfig, folder_of(data_dir, name))
    raise typer.Exit(trace(broker, id, output))


@event_app.command("list")
def event_list(
    broker: Broker = "default",
    channel: Channel = None,
    namespace: Namespace = "default",
    limit: Limit = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as events come.")] = False,
    output: TableOrJson = "table",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """List the newest events that a broker or channel keeps, and how they fare."""
    from hearth.cli.eventadmin import BrokerProcess, place_of
    from hearth.cli.eventqueries import list_events

    place = place_of(broker, channel, namespace)
    asked = BrokerProcess.of(kubeconfig, folder_of(data_dir, name))
    raise typer.Exit(list_events(asked, place, limit=limit, follow=follow, output=output))


@event_app.command("dead-letters")
def event_dead_letters(
    broker: Annotated[
        str | None, typer.Option(help="Only of broker NAME or NAMESPACE/NAME.")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only of this channel.")] = None,
    namespace: Namespace = "default",
    limit: Limit = 20,
    output: TableOrJson = "table",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """List events that a subscriber did not take: dead letters, and what was dropped."""
    from hearth.cli.eventadmin import BrokerProcess, place_of
    from hearth.cli.eventqueries import list_dead_letters

    place = place_of(broker or "", channel, namespace) if broker or channel else {}
    asked = BrokerProcess.of(kubeconfig, folder_of(data_dir, name))
    raise typer.Exit(list_dead_letters(asked, place, limit=limit, output=output))


@event_app.command("redrive")
def event_redrive(
    id: Annotated[str | None, typer.Argument(help="The id of a held event.")] = None,
    trigger: Annotated[str | None, typer.Option(help="All that is held for a Trigger.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is held.")] = False,
    discard: Annotated[bool, typer.Option("--discard", help="Give them up instead.")] = False,
    namespace: Namespace = "default",
    output: TextOrJson = "text",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Deliver events anew that are held because nobody takes them (hearth event dead-letters)."""
    from hearth.cli.eventactions import Redrive, redrive
    from hearth.cli.eventadmin import BrokerProcess

    chosen = Redrive(id, named(trigger, namespace), everything=everything, discard=discard)
    asked = BrokerProcess.of(kubeconfig, folder_of(data_dir, name))
    raise typer.Exit(redrive(asked, chosen, output))


@event_app.command("replay")
def event_replay(
    trigger: Annotated[str, typer.Option(help="Deliver to this Trigger: NAME or NAMESPACE/NAME.")],
    begin: Annotated[
        str,
        typer.Option("--from", help="10m, a time, an offset, the ID of an event, or earliest."),
    ],
    most: Annotated[int | None, typer.Option("--count", min=1, help="So many at most.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would be delivered.")
    ] = False,
    namespace: Namespace = "default",
    output: TextOrJson = "text",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Deliver events once more to a Trigger, from somewhere on; its own way is not touched.

    Exit code 0 when all were taken, 1 when some were not.
    """
    from hearth.cli.eventactions import Replay, replay
    from hearth.cli.eventadmin import BrokerProcess

    asked = BrokerProcess.of(kubeconfig, folder_of(data_dir, name))
    wanted = Replay(str(named(trigger, namespace)), begin, most, dry_run=dry_run)
    raise typer.Exit(replay(asked, wanted, output))


@event_app.command("seek")
def event_seek(
    trigger: Annotated[str, typer.Option(help="Move this Trigger: NAME or NAMESPACE/NAME.")],
    begin: Annotated[
        str | None,
        typer.Option("--from", help="10m, a time, an offset, the ID of an event, or earliest."),
    ] = None,
    at: Annotated[str | None, typer.Option("--at", help="A time: 2026-11-20T17:00:00Z.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="The id of an event.")] = None,
    offset: Annotated[
        str | None, typer.Option("--offset", help="As `hearth event list` has it.")
    ] = None,
    earliest: Annotated[bool, typer.Option("--earliest", help="The oldest event kept.")] = False,
    latest: Annotated[bool, typer.Option("--latest", help="Only what comes from now on.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would be repeated and skipped.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    namespace: Namespace = "default",
    output: TextOrJson = "text",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Move a Trigger's own position in its Broker's log: back repeats events, on skips some.

    Asks before it repeats or skips any. Exit code 0 when it was moved, 1 when you said no.
    """
    from hearth.cli.eventadmin import BrokerProcess
    from hearth.cli.eventseek import Seek, beginning, seek

    where = beginning(begin, at=at, id=id, offset=offset, earliest=earliest, latest=latest)
    asked = BrokerProcess.of(kubeconfig, folder_of(data_dir, name))
    wanted = Seek(str(named(trigger, namespace)), where, dry_run=dry_run, yes=yes)
    raise typer.Exit(seek(asked, wanted, output))


@event_app.command("copy")
def event_copy(
    broker: Annotated[str, typer.Argument(help="broker NAME or NAMESPACE/NAME.")],
    to: Annotated[str, typer.Option(help="local, nats, kafka, or a class of Brokers.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what there is to copy, and whether it can.")
    ] = False,
    namespace: Namespace = "default",
    output: TextOrJson = "text",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Move a Broker to another engine: its events, where its Triggers are, what is held.

    Address, Triggers and producers stay as they are. Given again it goes on where it was cut short.
    """
    from hearth.cli.access import access_of_either
    from hearth.cli.eventadmin import BrokerProcess
    from hearth.cli.eventcopy import Copying, copy

    folder = folder_of(data_dir, name)
    wanted = Copying(str(named(broker, namespace)), to, dry_run=dry_run)
    asked = BrokerProcess.of(kubeconfig, folder)
    raise typer.Exit(copy(asked, access_of_either(kubeconfig, folder), wanted, output))


@event_app.command("lag")
def event_lag(
    broker: Annotated[
        str | None, typer.Option(help="Only of broker NAME or NAMESPACE/NAME.")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only of this channel.")] = None,
    namespace: Namespace = "default",
    output: TableOrJson = "table",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Show how many events each Trigger and Subscription has still to get, and what is held."""
    from hearth.cli.eventadmin import BrokerProcess, place_of
    from hearth.cli.eventqueries import show_lag

    place = place_of(broker or "", channel, namespace) if broker or channel else {}
    raise typer.Exit(
        show_lag(BrokerProcess.of(kubeconfig, folder_of(data_dir, name)), place, output)
    )


def named(name: str | None, namespace: str) -> str | None:
    """Return NAMESPACE/NAME."""
    return name if name is None or "/" in name else f"{namespace}/{name}"


@event_app.command("graph")
def event_graph(
    since: Annotated[str, typer.Option(help="Count events of so long: 90s, 10m, 1h30m.")] = "10m",
    output: Annotated[
        str, typer.Option("--output", "-o", help="table, dot, mermaid or json.")
    ] = "table",
    name: Name = "default",
    data_dir: DataDir = None,
    kubeconfig: ClusterOrHere = None,
) -> None:
    """Show what flows where, with counts: sources, brokers, channels, triggers, sinks."""
    from hearth.cli.eventadmin import BrokerProcess
    from hearth.cli.eventqueries import show_graph

    raise typer.Exit(
        show_graph(BrokerProcess.of(kubeconfig, folder_of(data_dir, name)), since, output)
    )

"""``hearth event send``: one CloudEvent to a broker or a URL."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eventing import send as sending
from eventing.codec.event import CodecError
from hearth.cli.errors import UserError
from hearth.cli.state import running_state
from hearth.knative.resources import BROKERS
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound


@dataclass(frozen=True, slots=True)
class EventOptions:
    """What the command line of ``hearth event send`` says."""

    to: str
    type: str
    source: str
    id: str | None
    subject: str | None
    data: str
    content_type: str | None
    extensions: Sequence[str]
    namespace: str


def send(data_dir: Path, options: EventOptions) -> int:
    """Sends one event and reports; returns exit code 0 when the receiver took it."""
    attributes = attributes_of(options, fresh_id=str(uuid.uuid4()))
    try:
        event = sending.make_event(
            attributes, _data(options.data), content_type=options.content_type
        )
        url = options.to if "://" in options.to else asyncio.run(_broker_url(data_dir, options))
        sent = sending.send(url, event)
    except (CodecError, sending.SendError, ValueError) as error:
        raise UserError(str(error)) from error
    what = f"event {attributes['id']} of type {options.type}"
    if sent.accepted:
        print(f"{sent.status} {sent.reason}: {what} was accepted by {url}")
        return 0
    print(f"{sent.status} {sent.reason}: {what} was refused: {sent.text}", file=sys.stderr)
    return 1


def attributes_of(options: EventOptions, *, fresh_id: str) -> dict[str, str]:
    """Reads the event's attributes; UserError for an extension that is no NAME=VALUE."""
    attributes = {
        "id": options.id or fresh_id,
        "source": options.source,
        "type": options.type,
    }
    if options.subject is not None:
        attributes["subject"] = options.subject
    for text in options.extensions:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--extension {text!r}: give NAME=VALUE")
        attributes[name] = value
    return attributes


def _data(text: str) -> bytes:
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise UserError(f"--data {text}: {error.strerror}") from error


async def _broker_url(data_dir: Path, options: EventOptions) -> str:
    """Reads from its status where the named broker takes events."""
    state = running_state(data_dir)
    namespace, _, name = options.to.rpartition("/")
    namespace = namespace or options.namespace
    async with KubeClient.from_kubeconfig(Path(state["kubeconfig"])) as client:
        try:
            broker = await client.get(BROKERS, name, namespace)
        except NotFound as error:
            raise UserError(
                f"there is no broker {name!r} in namespace {namespace!r}: apply one "
                f"(samples/events.yaml has an example), or give a URL with --to"
            ) from error
    address = (broker.get("status") or {}).get("address") or {}
    if "url" not in address:
        raise UserError(f"broker {name!r} is not ready yet: kubectl describe broker {name}")
    return str(address["url"])

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
from hearth.cli.session import running_state
from hearth.cli.state import StateError
from hearth.knative.resources import BROKERS
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound


@dataclass(frozen=True, slots=True)
class EventOptions:
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
    """Sends and reports; exit code 0 when the receiver took the event."""
    attributes = _attributes(options)
    try:
        event = sending.make_event(
            attributes, _data(options.data), content_type=options.content_type
        )
        url = options.to if "://" in options.to else asyncio.run(_broker_url(data_dir, options))
        sent = sending.send(url, event)
    except (CodecError, sending.SendError, ValueError) as error:
        raise StateError(str(error)) from error
    what = f"event {attributes['id']} of type {options.type}"
    if sent.accepted:
        print(f"{sent.status} {sent.reason}: {what} was accepted by {url}")
        return 0
    print(f"{sent.status} {sent.reason}: {what} was refused: {sent.text}", file=sys.stderr)
    return 1


def _attributes(options: EventOptions) -> dict[str, str]:
    attributes = {
        "id": options.id or str(uuid.uuid4()),
        "source": options.source,
        "type": options.type,
    }
    if options.subject is not None:
        attributes["subject"] = options.subject
    for text in options.extensions:
        name, found, value = text.partition("=")
        if not found:
            raise StateError(f"--extension {text!r}: give NAME=VALUE")
        attributes[name] = value
    return attributes


def _data(text: str) -> bytes:
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise StateError(f"--data {text}: {error.strerror}") from error


async def _broker_url(data_dir: Path, options: EventOptions) -> str:
    """Where the named broker takes events, from its status."""
    state = running_state(data_dir)
    space, _, name = options.to.rpartition("/")
    space = space or options.namespace
    async with KubeClient.from_kubeconfig(Path(state["kubeconfig"])) as client:
        try:
            broker = await client.get(BROKERS, name, space)
        except NotFound as error:
            raise StateError(
                f"there is no broker {name!r} in namespace {space!r}: apply one "
                f"(samples/events.yaml has an example), or give a URL with --to"
            ) from error
    address = (broker.get("status") or {}).get("address") or {}
    if "url" not in address:
        raise StateError(f"broker {name!r} is not ready yet: kubectl describe broker {name}")
    return str(address["url"])

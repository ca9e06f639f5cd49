"""``hearth event send``: one CloudEvent to a broker or a URL."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from eventing import send as sending
from eventing.codec import Event, encode_structured
from eventing.codec.event import CodecError
from eventing.codec.structured import CONTENT_TYPE
from hearth.cli.access import access, access_of_either
from hearth.cli.errors import UserError
from hearth.cli.state import is_running, read_state
from hearth.knative.resources import BROKERS
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, Forbidden, NotFound
from hearth.kube.resources import SERVICEACCOUNTS


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


def send(data_dir: Path, kubeconfig: Path | None, options: EventOptions) -> int:
    """Sends one event and reports; returns exit code 0 when the receiver took it."""
    attributes = attributes_of(options, fresh_id=str(uuid.uuid4()))
    try:
        event = sending.make_event(
            attributes, _data(options.data), content_type=options.content_type
        )
    except (CodecError, ValueError) as error:
        raise UserError(str(error)) from error
    what = f"event {attributes['id']} of type {options.type}"
    if kubeconfig is not None and ("://" not in options.to or service_proxy_path(options.to)):
        url = asyncio.run(_sent_through_the_api(access(kubeconfig), options, event))
        print(f"{what} was accepted by {url}, through the API server")
        return 0
    try:
        found = asyncio.run(_found_here(data_dir, options))
        url = found.url
        sent = sending.send(
            url,
            event,
            gateway=_gateway(data_dir),
            authorization=found.authorization,
            ca_certs=found.ca_certs,
        )
    except (sending.SendError, ValueError) as error:
        raise UserError(str(error)) from error
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


def _gateway(data_dir: Path) -> tuple[str, int] | None:
    """Where names of the cluster lead on one machine, whose resolver does not know them."""
    state = read_state(data_dir)
    port = state.get("ports", {}).get("internal")
    return (str(state["host"]), port) if port and is_running(state) else None


@dataclass(frozen=True, slots=True)
class _Found:
    """Where to send to, what to show there, and whom to trust."""

    url: str
    authorization: str | None = None
    ca_certs: str | None = None


async def _found_here(data_dir: Path, options: EventOptions) -> _Found:
    """A broker that asks who sends is shown a token of the namespace's default account."""
    if "://" in options.to:
        return _Found(options.to)
    async with KubeClient(access_of_either(None, data_dir)) as client:
        namespace, address = await _broker_address(client, options)
        shown = None
        if address.get("audience"):
            spec = {"audiences": [address["audience"]]}
            path = SERVICEACCOUNTS.path(namespace, "default", "token")
            answer = await client.request("POST", path, body={"spec": spec})
            shown = f"Bearer {answer['status']['token']}"
    return _Found(address["url"], shown, address.get("CACerts"))


async def _broker_address(
    client: KubeClient, options: EventOptions
) -> tuple[str, Mapping[str, str]]:
    """Reads from its status where the named broker takes events, and returns its namespace too."""
    namespace, _, name = options.to.rpartition("/")
    namespace = namespace or options.namespace
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
    return namespace, address


# -- a cluster, whose addresses lead nowhere from here ---------------------------------------------


def service_proxy_path(url: str) -> str | None:
    """Where the API server hands on what is for a Service's URL; None for other hosts. Pure."""
    parts = urlsplit(url)
    name, _, rest = (parts.hostname or "").partition(".")
    namespace, _, rest = rest.partition(".")
    if rest != "svc" and not rest.startswith("svc."):
        return None
    secure = "https:" if parts.scheme == "https" else ""
    port = parts.port or (443 if secure else 80)
    path = f"/api/v1/namespaces/{namespace}/services/{secure}{name}:{port}/proxy{parts.path or '/'}"
    return f"{path}?{parts.query}" if parts.query else path


async def _sent_through_the_api(api: Access, options: EventOptions, event: Event) -> str:
    async with KubeClient(api) as client:
        try:
            url = options.to
            if "://" not in url:
                url = (await _broker_address(client, options))[1]["url"]
            path = service_proxy_path(url)
            if path is None:
                raise UserError(f"{url} is no address of a Service: send it from where it leads to")
            body = json.loads(encode_structured(event))
            await client.request("POST", path, body=body, content_type=CONTENT_TYPE.decode())
        except Forbidden as error:
            raise UserError(
                f"{error.message}; to send from outside takes the right to create services/proxy"
            ) from error
        except ApiError as error:
            raise UserError(f"the event was refused: {error.message}") from error
    return url

"""Builds one CloudEvent and sends it: the core of ``hearth event send``. Blocking."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from eventing.codec import Event
from eventing.codec.event import check_attributes, check_name, check_text
from eventing.runtime.policy import DeliveryPolicy
from eventing.runtime.target import Address
from eventing.sources.sender import Sender, Sent


class SendError(Exception):
    """The event could not be sent at all."""


def make_event(
    attributes: Mapping[str, str], data: bytes | None = None, *, content_type: str | None = None
) -> Event:
    """Make an event of text attributes (id, source and type at least); raises CodecError.

    Data without a content type is called JSON when it is, else text, else bytes.
    """
    made: dict[str, str | int | bool] = {"specversion": "1.0"}
    for name, value in attributes.items():
        check_name(name)
        check_text(name, value)
        made[name] = value
    if data is not None:
        made["datacontenttype"] = content_type or guess_content_type(data)
    check_attributes(made)
    return Event(made, data)


def guess_content_type(data: bytes) -> str:
    """Return JSON for what is, text for other UTF-8, bytes for the rest."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "application/octet-stream"
    try:
        json.loads(text)
    except ValueError:
        return "text/plain; charset=utf-8"
    return "application/json"


def send(
    url: str,
    event: Event,
    *,
    gateway: Address | None = None,
    structured: bool = False,
    timeout_seconds: float = 10.0,
    authorization: str | None = None,
    ca_certs: str | None = None,
) -> Sent:
    """Send the event once, with POST; to in-cluster hosts through the gateway where there is one.

    ``authorization`` is the value of that header; ``ca_certs`` (PEM) are trusted too. Raises
    SendError where there is no answer, ValueError for a bad URL.
    """
    policy = DeliveryPolicy(timeout_seconds=timeout_seconds)

    async def once() -> Sent:
        async with Sender(policy, gateway=gateway, ca_certs=ca_certs) as sender:
            return await sender.send(url, event, structured=structured, authorization=authorization)

    sent = asyncio.run(once())
    if not sent.status:
        raise SendError(f"{urlsplit(url).netloc} gives no answer: {sent.error}")
    return sent

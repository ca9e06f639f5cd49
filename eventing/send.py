"""Builds one CloudEvent and sends it: the core of ``hearth event send``. Blocking."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from eventing.codec import Event, encode_structured, render_head
from eventing.codec.event import check_attributes, check_name, check_text
from eventing.codec.structured import CONTENT_TYPE
from eventing.runtime.target import Address, parse_target


@dataclass(frozen=True, slots=True)
class Sent:
    """What the receiver said."""

    status: int
    reason: str
    text: str

    @property
    def accepted(self) -> bool:
        """Whether the event was taken."""
        return 200 <= self.status < 300


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
) -> Sent:
    """Send the event with POST; to in-cluster hosts through the gateway where there is one.

    ``*.localhost`` is this machine, whatever the resolver says.

    Raises SendError where there is no answer, ValueError for a bad URL.
    """
    target = parse_target(url, gateway)
    body, headers = _message(event, structured=structured)
    path, host = target.path.decode("ascii"), target.authority.decode("ascii")
    connection = _connect(target.address, target.tls_name, timeout_seconds=timeout_seconds)
    try:
        connection.request("POST", path, body=body, headers={"Host": host, **headers})
        answer = connection.getresponse()
        text = answer.read(64 * 1024).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise SendError(f"{urlsplit(url).netloc} gives no answer: {error}") from error
    finally:
        connection.close()
    return Sent(answer.status, answer.reason, text)


def _message(event: Event, *, structured: bool) -> tuple[bytes, dict[str, str]]:
    if structured:
        return encode_structured(event), {"content-type": CONTENT_TYPE.decode()}
    lines = render_head(event).decode("utf-8").split("\r\n")[:-1]
    return event.data or b"", dict(line.split(": ", 1) for line in lines)


def _connect(
    address: tuple[str, int], tls_name: str | None, *, timeout_seconds: float
) -> http.client.HTTPConnection:
    if tls_name is None:
        return http.client.HTTPConnection(*address, timeout=timeout_seconds)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(*address, timeout=timeout_seconds, context=context)

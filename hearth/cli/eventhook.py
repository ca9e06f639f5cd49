"""``hearth event hook``: a delivery as the sender of a WebhookSource would make it."""

from __future__ import annotations

import asyncio
import base64
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventing.sources.webhook.received import Refusal
from eventing.sources.webhook.signing import delivery_of, example
from hearth.cli.calling import called
from hearth.cli.errors import UserError
from hearth.cli.services import detour_to
from hearth.knative.resources import WEBHOOKSOURCES
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.conditions import Conditions
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object, name, namespace
from hearth.kube.resources import SECRETS, Resource

_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class HookOptions:
    """What the command line says."""

    source: str
    namespace: str
    event: str
    payload: Path | None
    id: str | None
    headers: Sequence[str]
    of_cluster: bool
    """Whether the gateway is asked where the URL's name does not resolve here."""


def hook(api: Access, options: HookOptions, authority: Path) -> int:
    """Send it and print the answer; return 0 for an answer of 2xx, else 1.

    The certificate ``authority`` is trusted as well, where it is there.
    """
    source, secret, gateway = asyncio.run(_looked_up(api, options))
    spec, told = source["spec"], options.id or str(uuid.uuid4())
    body = _body(options, str(spec["sender"]), told)
    try:
        made = delivery_of(spec, secret, options.event, body, now=wall_clock(), told=told)
    except Refusal as error:
        raise UserError(error.text) from error
    headers = {**made.headers, **_given(options.headers)}
    answer = called(
        "POST",
        _url(source) + made.url_end,
        body,
        headers,
        authority=authority,
        seconds=_SECONDS,
        gateway=gateway,
    )
    said = f"{answer.status_code} {answer.reason_phrase}: delivery {told}"
    print(said, file=sys.stdout if answer.is_success else sys.stderr)
    if answer.text:
        print(answer.text, file=sys.stdout if answer.is_success else sys.stderr)
    return 0 if answer.is_success else 1


def _body(options: HookOptions, sender: str, told: str) -> bytes:
    if options.payload is None:
        return example(sender, options.event, told)
    try:
        return options.payload.read_bytes()
    except OSError as error:
        raise UserError(f"--payload {options.payload}: {error.strerror}") from error


def _given(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        title, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--header {text!r}: give NAME=VALUE")
        found[title] = value
    return found


async def _looked_up(api: Access, options: HookOptions) -> tuple[Object, bytes, str]:
    where = options.namespace
    async with KubeClient(api, user_agent="hearth-event") as client:
        what = f"WebhookSource {options.source} in {where}: kubectl get webhooksources -A"
        source = await _found(client, WEBHOOKSOURCES, options.source, where, what)
        reference = source["spec"]["secrets"][0]["secretKeyRef"]
        what = (
            f"Secret {reference['name']} in {where}, which the WebhookSource names: make it first"
        )
        secret = await _found(client, SECRETS, reference["name"], where, what)
        gateway = await detour_to(client, _url(source)) if options.of_cluster else ""
    return source, _value(secret, reference), gateway


async def _found(
    client: KubeClient, resource: Resource, title: str, where: str, what: str
) -> Object:
    try:
        return await client.get(resource, title, where)
    except NotFound as error:
        raise UserError(f"there is no {what}") from error
    except ApiError as error:
        raise UserError(error.message) from error


def _value(secret: Object, reference: dict[str, Any]) -> bytes:
    data = secret.get("data") or {}
    if not data.get(reference["key"]):
        raise UserError(f"the Secret {reference['name']} has no key {reference['key']}")
    value = base64.b64decode(data[reference["key"]]).removesuffix(b"\n")
    if value.startswith(b"whpk_"):
        raise UserError("with a public key nothing can be signed: the sender alone can")
    return value


def _url(source: Object) -> str:
    ready = Conditions.of(source).get("Ready") or {}
    url = (source.get("status") or {}).get("url")
    if not url or ready.get("status") != "True":
        why = ready.get("message") or "its controller has not looked at it yet"
        raise UserError(f"WebhookSource {namespace(source)}/{name(source)} is not ready: {why}")
    return str(url)

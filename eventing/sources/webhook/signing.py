"""A delivery as its sender would make it, to try a WebhookSource with. Pure."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from eventing.api.webhooksource import HTTP
from eventing.sources.webhook.made import JSON
from eventing.sources.webhook.received import FORM, Received
from eventing.sources.webhook.senders.generic import signed_text, template_of
from eventing.sources.webhook.signatures import mac, shared_secret

Headers = dict[str, str]


def github(secret: bytes, event: str, body: bytes, told: str, now: str) -> Headers:
    """GitHub's headers."""
    return {
        "X-GitHub-Event": event or "ping",
        "X-GitHub-Delivery": told,
        "X-Hub-Signature-256": f"sha256={mac(secret, body).hex()}",
    }


def gitlab(secret: bytes, event: str, body: bytes, told: str, now: str) -> Headers:
    """GitLab's, with a token: ``merge_request`` is the ``Merge Request Hook``."""
    named = (event or "push").replace("_", " ").title()
    return {
        "X-Gitlab-Event": f"{named} Hook",
        "Idempotency-Key": told,
        "X-Gitlab-Token": secret.decode("latin-1"),
    }


def bitbucket(secret: bytes, event: str, body: bytes, told: str, now: str) -> Headers:
    """Those of Bitbucket Cloud."""
    return {
        "X-Event-Key": event or "repo:push",
        "X-Request-UUID": told,
        "X-Hub-Signature": f"sha256={mac(secret, body).hex()}",
    }


def slack(secret: bytes, event: str, body: bytes, told: str, now: str) -> Headers:
    """Slack's; what is sent is told by the body."""
    text = b"v0:%b:%b" % (now.encode(), body)
    return {
        "X-Slack-Request-Timestamp": now,
        "X-Slack-Signature": f"v0={mac(secret, text).hex()}",
    }


def stripe(secret: bytes, event: str, body: bytes, told: str, now: str) -> Headers:
    """Stripe's."""
    signed = mac(secret, b"%b.%b" % (now.encode(), body)).hex()
    return {"Stripe-Signature": f"t={now},v1={signed}"}


def standard(secret: bytes, event: str, body: bytes, told: str, now: str) -> Headers:
    """Those of Standard Webhooks, with a shared secret."""
    text = b"%b.%b.%b" % (told.encode(), now.encode(), body)
    signed = base64.b64encode(mac(shared_secret(secret), text)).decode()
    return {"webhook-id": told, "webhook-timestamp": now, "webhook-signature": f"v1,{signed}"}


def unsigned(secret: bytes, event: str, body: bytes, told: str, now: str) -> Headers:
    """Nothing: the secret is in the URL."""
    return {}


SIGNERS: Mapping[str, Callable[[bytes, str, bytes, str, str], Headers]] = {
    "github": github,
    "gitlab": gitlab,
    "bitbucket": bitbucket,
    "slack": slack,
    "stripe": stripe,
    "standard": standard,
    "dockerhub": unsigned,
}


def headers_of(
    sender: str, secret: bytes, event: str, body: bytes, *, now: float, told: str
) -> Headers:
    """Return the headers of a delivery; raise KeyError for a sender that signs as it is told."""
    made = SIGNERS[sender](secret, event, body, told, f"{now:.0f}")
    kind = JSON if body[:1] in (b"{", b"[") else FORM
    return {"Content-Type": kind, **made}


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is sent to the URL of a WebhookSource."""

    headers: Mapping[str, str]
    url_end: str = ""
    """What follows the URL."""


def delivery_of(
    spec: Mapping[str, Any], secret: bytes, event: str, body: bytes, *, now: float, told: str
) -> Delivery:
    """Return a delivery as a WebhookSource's sender would make it."""
    if spec["sender"] == HTTP:
        return _described(spec, secret, body, told=told, now=f"{now:.0f}")
    headers = headers_of(spec["sender"], secret, event, body, now=now, told=told)
    in_url = SIGNERS[spec["sender"]] is unsigned
    return Delivery(headers, f"/{_quoted(secret)}" if in_url else "")


def _described(
    spec: Mapping[str, Any], secret: bytes, body: bytes, *, told: str, now: str
) -> Delivery:
    signature, token = spec.get("signature") or {}, spec.get("token") or {}
    named = {signature.get("idHeader") or "Idempotency-Key": told, "Content-Type": JSON}
    if signature.get("timestampHeader"):
        named[signature["timestampHeader"]] = now
    if signature:
        request = Received(body, {name.lower(): value for name, value in named.items()})
        text = signed_text(signature, template_of(signature), request)
        made = mac(secret, text, signature.get("algorithm") or "sha256")
        is_hex = signature.get("encoding") != "base64"
        value = made.hex() if is_hex else base64.b64encode(made).decode()
        named[signature["header"]] = f"{signature.get('prefix') or ''}{value}"
    if token.get("header"):
        named[token["header"]] = secret.decode("latin-1")
    end = f"?{quote(token['query'])}={_quoted(secret)}" if token.get("query") else ""
    return Delivery(named, end if signature or token else f"/{_quoted(secret)}")


def _quoted(secret: bytes) -> str:
    return quote(secret, safe="")


def example(sender: str, event: str, told: str) -> bytes:
    """Return a small body as a sender would send it, of no other delivery."""
    if sender == "slack" and event.startswith("/"):
        return urlencode({"command": event, "trigger_id": told, "team_id": "T0"}).encode()
    bodies: Mapping[str, Any] = {
        "github": {"repository": _REPOSITORY, "delivery": told},
        "gitlab": {"project": {"web_url": "https://gitlab.com/example/it"}, "delivery": told},
        "bitbucket": {"repository": {"full_name": "example/it"}, "delivery": told},
        "slack": {
            "type": "event_callback",
            "event_id": told,
            "event": {"type": event or "message"},
        },
        "stripe": {"id": told, "type": event or "charge.succeeded"},
        "standard": {"type": event or "test"},
        "dockerhub": {
            "callback_url": f"https://example.com/{told}",
            "push_data": {"tag": "latest"},
            "repository": {"repo_name": "example/it"},
        },
    }
    return orjson.dumps(bodies.get(sender, {"delivery": told}))


_REPOSITORY = {
    "name": "it",
    "html_url": "https://github.com/example/it",
    "owner": {"login": "example"},
}

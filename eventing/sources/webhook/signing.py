"""A delivery as its sender would make it, to try a WebhookSource with. Pure."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Mapping

from eventing.sources.webhook.made import JSON
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
    sender: str, secret: bytes, event: str, body: bytes, *, now: float, told: str = ""
) -> Headers:
    """Return the headers of a delivery; raise KeyError for a sender that signs as it is told."""
    made = SIGNERS[sender](secret, event, body, told or str(uuid.uuid4()), f"{now:.0f}")
    kind = JSON if body[:1] in (b"{", b"[") else "application/x-www-form-urlencoded"
    return {"Content-Type": kind, **made}

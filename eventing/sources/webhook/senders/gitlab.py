"""GitLab. Types and sources of events are those of upstream's GitLabSource.

https://docs.gitlab.com/user/project/integrations/webhooks/
"""

from __future__ import annotations

from eventing.sources.webhook.made import Made, attributes, first
from eventing.sources.webhook.received import Received, Refusal
from eventing.sources.webhook.senders.seam import Sender
from eventing.sources.webhook.signatures import gitlab

PREFIX = "dev.knative.sources.gitlab."
_HOOK = " Hook"
_SUBJECTS = ("/object_attributes/iid", "/ref", "/object_attributes/id", "/build_id")


def made(request: Received, source: str) -> Made:
    """Return the event of a delivery.

    X-Gitlab-Event-UUID is the same for all that one webhook sets off, so alone it tells no
    deliveries apart; Idempotency-Key (17.4) and webhook-id do, and older ones have the body.
    """
    named = request.header("X-Gitlab-Event")
    kind, hook, rest = named.rpartition(_HOOK)
    if not hook or rest:
        raise Refusal(400, "the header X-Gitlab-Event names no hook")
    document, headers = request.document(), request.headers
    unique = f"{headers.get('x-gitlab-event-uuid', '')}-{request.digest[:32]}".lstrip("-")
    return Made(
        id=headers.get("webhook-id") or headers.get("idempotency-key") or unique,
        type=PREFIX + kind.lower().replace(" ", "_"),
        source=first(document, "/project/web_url", "/repository/homepage") or source,
        data=request.body,
        subject=first(document, *_SUBJECTS),
        extensions=attributes(
            comgitlabevent=named,
            action=first(document, "/object_attributes/action"),
            ref=first(document, "/ref"),
            sender=first(document, "/user_username", "/user/username"),
        ),
    )


SENDER = Sender(gitlab, made)

"""Bitbucket Cloud and Bitbucket Data Center. Types of events are those of upstream's old source.

https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/
https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

from __future__ import annotations

from eventing.sources.webhook.made import Made, attributes, first
from eventing.sources.webhook.received import Received
from eventing.sources.webhook.senders.seam import Answer, Sender, of_body
from eventing.sources.webhook.signatures import hub

PREFIX = "dev.knative.source.bitbucket."
TEST = "diagnostics:ping"
_URLS = (
    "/repository/links/html/href",
    "/repository/links/self/0/href",
    "/pullRequest/toRef/repository/links/self/0/href",
)
_SUBJECTS = (
    "/pullrequest/id",
    "/pullRequest/id",
    "/issue/id",
    "/push/changes/0/new/name",
    "/changes/0/ref/displayId",
)


def made(request: Received, source: str) -> Made:
    """Return the event of a delivery."""
    event, document, headers = request.header("X-Event-Key"), request.document(), request.headers
    # The cloud's number stays while it tries again; a server's is of the request.
    told = headers.get("x-request-uuid") or headers.get("x-request-id") or request.digest[:32]
    return Made(
        id=told,
        type=f"{PREFIX}{event}",
        source=first(document, *_URLS) or source,
        data=request.body,
        subject=first(document, *_SUBJECTS),
        extensions=attributes(
            repository=first(document, "/repository/full_name", "/repository/slug"),
            sender=first(document, "/actor/nickname", "/actor/name"),
        ),
    )


def unchecked(request: Received) -> Answer | None:
    """A server's test of the connection may come without a signature; it does nothing."""
    return Answer(200) if request.headers.get("x-event-key") == TEST else None


SENDER = Sender(hub("X-Hub-Signature"), made, unchecked=unchecked, proof=of_body)

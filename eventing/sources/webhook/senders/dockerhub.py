"""Docker Hub, which signs nothing: the secret is the last part of the URL.

https://docs.docker.com/docker-hub/repos/manage/webhooks/
"""

from __future__ import annotations

from eventing.sources.webhook.made import Made, at_time, attributes, first
from eventing.sources.webhook.received import Received
from eventing.sources.webhook.senders.seam import Sender
from eventing.sources.webhook.signatures import in_path

TYPE = "com.docker.hub.push"


def made(request: Received, source: str) -> Made:
    """Return the event of a push; ``callbackurl`` is where Docker Hub takes how it went."""
    document = request.document()
    repository = first(document, "/repository/repo_name")
    return Made(
        id=request.digest[:32],  # of a body with an address of its own, callback_url
        type=TYPE,
        source=f"https://hub.docker.com/r/{repository}" if repository else source,
        data=request.body,
        subject=first(document, "/push_data/tag"),
        time=at_time(document, "/push_data/pushed_at"),
        extensions=attributes(
            callbackurl=first(document, "/callback_url"),
            repository=repository,
            sender=first(document, "/push_data/pusher"),
        ),
    )


SENDER = Sender(in_path, made)

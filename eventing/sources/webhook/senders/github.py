"""GitHub. Types, sources, subjects and extensions of events are those of upstream's GitHubSource.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from eventing.sources.webhook.made import Made, attributes, first, last_part
from eventing.sources.webhook.received import FORM, Received, Refusal
from eventing.sources.webhook.senders.seam import Sender, of_body
from eventing.sources.webhook.signatures import hub

PREFIX = "dev.knative.source.github."
_SUBJECTS: Mapping[str, str] = {
    "check_run": "/check_run/id",
    "check_suite": "/check_suite/id",
    "create": "/ref_type",
    "delete": "/ref_type",
    "deployment": "/deployment/id",
    "deployment_status": "/deployment/id",
    "fork": "/forkee/id",
    "installation": "/installation/id",
    "installation_repositories": "/installation/id",
    "issues": "/issue/number",
    "label": "/label/name",
    "member": "/member/id",
    "membership": "/member/id",
    "milestone": "/milestone/number",
    "organization": "/action",
    "org_block": "/action",
    "page_build": "/id",
    "ping": "/hook_id",
    "project": "/action",
    "project_card": "/action",
    "project_column": "/action",
    "pull_request": "/pull_request/number",
    "pull_request_review": "/review/id",
    "pull_request_review_comment": "/comment/id",
    "release": "/release/tag_name",
    "repository_vulnerability_alert": "/alert/id",
    "security_advisory": "/security_advisory/ghsa_id",
    "status": "/sha",
    "team": "/team/id",
    "workflow_run": "/workflow_run/id",
    "workflow_job": "/workflow_job/id",
}
_LAST_PARTS: Mapping[str, str] = {
    "commit_comment": "/comment/html_url",
    "issue_comment": "/comment/html_url",
    "push": "/compare",
}
_EXTENSIONS = {
    "owner": ("/repository/owner/login", "/organization/login"),
    "repository": ("/repository/name",),
    "sender": ("/sender/login",),
    "action": ("/action",),
    "ref": ("/ref",),
    "label": ("/label/name",),
}


def made(request: Received, source: str) -> Made:
    """Return the event of a delivery, whose data is the payload."""
    event, told = request.header("X-GitHub-Event"), request.header("X-GitHub-Delivery")
    document, data = _payload(request)
    return Made(
        id=told,
        type=f"{PREFIX}{event}",
        source=_source(document) or source,
        data=data,
        subject=_subject(event, document),
        extensions=attributes(**{n: first(document, *at) for n, at in _EXTENSIONS.items()}),
    )


def _payload(request: Received) -> tuple[Any, bytes]:
    """A form has it in a field."""
    if request.media_type != FORM:
        return request.document(), request.body
    data = request.form.get("payload", "").encode()
    try:
        return orjson.loads(data), data
    except ValueError:
        raise Refusal(400, "the field payload is no JSON") from None


def _source(document: Any) -> str:
    url = first(document, "/repository/html_url")
    organization = first(document, "/organization/login")
    return url or (f"https://github.com/{organization}" if organization else "")


def _subject(event: str, document: Any) -> str:
    if event in _LAST_PARTS:
        return last_part(first(document, _LAST_PARTS[event]))
    return first(document, _SUBJECTS.get(event, "/repository/id"))


SENDER = Sender(hub("X-Hub-Signature-256"), made, proof=of_body)

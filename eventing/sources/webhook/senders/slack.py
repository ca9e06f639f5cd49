"""Slack: the Events API, slash commands, and what users do with messages.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

from typing import Any

import orjson

from eventing.sources.webhook.made import JSON, Made, attributes, first, rfc3339, short
from eventing.sources.webhook.received import FORM, Received, Refusal
from eventing.sources.webhook.senders.seam import Answer, Sender
from eventing.sources.webhook.signatures import slack

EVENT, COMMAND, INTERACTION = "com.slack.event.", "com.slack.command", "com.slack.interaction."
_TEAM = "https://slack.com/"
_LONGEST_CHALLENGE = 1024


def made(request: Received, source: str) -> Made:
    """Return the event of a delivery; one of a form becomes JSON."""
    if request.media_type != FORM:
        return _event(request, request.document(), source)
    if "payload" in request.form:
        return _interaction(request, source)
    return _command(request, source)


def _event(request: Received, document: dict[str, Any], source: str) -> Made:
    team = first(document, "/team_id")
    kind = first(document, "/event/type") or first(document, "/type")
    return Made(
        id=first(document, "/event_id") or request.digest[:32],
        type=f"{EVENT}{kind}",
        source=f"{_TEAM}{team}" if team else source,
        data=request.body,
        subject=first(document, "/event/channel", "/event/item/channel", "/event/user"),
        time=rfc3339(document.get("event_time")),
        extensions=attributes(
            sender=first(document, "/event/user"),
            slackretrynum=short(request.headers.get("x-slack-retry-num")),
            slackretryreason=short(request.headers.get("x-slack-retry-reason")),
        ),
    )


def _command(request: Received, source: str) -> Made:
    # The verification token is a secret of old, which nobody behind us needs.
    told = {name: value for name, value in request.form.items() if name != "token"}
    if not told.get("command"):
        raise Refusal(400, "the form is no slash command")
    team = short(told.get("team_id"))
    return Made(
        id=short(told.get("trigger_id")) or request.digest[:32],
        type=COMMAND,
        source=f"{_TEAM}{team}" if team else source,
        data=orjson.dumps(told),
        subject=short(told["command"]),
        extensions=attributes(sender=short(told.get("user_id"))),
    )


def _interaction(request: Received, source: str) -> Made:
    try:
        told = orjson.loads(request.form["payload"])
    except ValueError:
        raise Refusal(400, "the field payload is no JSON") from None
    if not isinstance(told, dict):
        raise Refusal(400, "the field payload is no JSON object")
    told.pop("token", None)
    team = first(told, "/team/id", "/user/team_id")
    return Made(
        id=request.digest[:32],
        type=f"{INTERACTION}{first(told, '/type')}",
        source=f"{_TEAM}{team}" if team else source,
        data=orjson.dumps(told),
        subject=first(told, "/actions/0/action_id", "/callback_id", "/view/callback_id"),
        extensions=attributes(sender=first(told, "/user/id")),
    )


def asked(request: Received) -> Answer | None:
    """Slack asks whether the URL is ours, and checks certificates."""
    if request.media_type == FORM:
        return Answer(200) if request.form.get("ssl_check") == "1" else None
    document = request.document()
    challenge = document.get("challenge")
    if document.get("type") != "url_verification" or not isinstance(challenge, str):
        return None
    return Answer(200, challenge[:_LONGEST_CHALLENGE].encode())


def replied(body: bytes, content_type: str) -> Answer:
    """A text is shown to who asked; what is a message of Slack's already is handed on."""
    if not body:
        return Answer(200)
    if content_type.partition(";")[0].strip().lower() == JSON:
        try:
            told = orjson.loads(body)
        except ValueError:
            told = None
        if isinstance(told, dict):
            return Answer(200, body, JSON)
        body = told.encode() if isinstance(told, str) else body
    message = {"response_type": "ephemeral", "text": body.decode(errors="replace")}
    return Answer(200, orjson.dumps(message), JSON)


SENDER = Sender(slack, made, asked=asked, replied=replied, accepted=200, seconds=2.5)

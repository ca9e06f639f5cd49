"""What one WebhookSource asks for, read once: sender, limits, what events are made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from eventing.api import webhooktemplates as templates
from eventing.api.views import spec_of
from eventing.api.webhooksource import HTTP
from eventing.api.webhooktemplates import Missing, Place, Template, at_pointer
from eventing.codec import CodecError, Event
from eventing.codec.event import AttributeValue, check_attributes, check_text
from eventing.sources.overrides import overridden
from eventing.sources.webhook.made import JSON, Made
from eventing.sources.webhook.received import Received, Refusal
from eventing.sources.webhook.senders import (
    bitbucket,
    dockerhub,
    generic,
    github,
    gitlab,
    slack,
    standard,
    stripe,
)
from eventing.sources.webhook.senders.seam import Sender
from hearth.knative.resources import WEBHOOKSOURCES
from hearth.kube.durations import parse_iso8601_duration
from hearth.kube.meta import Object, name, namespace

TOLERANCE_SECONDS = 300.0
"""What Slack, Stripe and Standard Webhooks advise."""
SENDERS: Mapping[str, Sender] = {
    "github": github.SENDER,
    "gitlab": gitlab.SENDER,
    "bitbucket": bitbucket.SENDER,
    "slack": slack.SENDER,
    "stripe": stripe.SENDER,
    "dockerhub": dockerhub.SENDER,
    "standard": standard.SENDER,
}
_REQUIRED = ("type", "source", "id")


@dataclass(frozen=True, slots=True)
class Rules:
    """One WebhookSource."""

    sender: Sender
    source: str
    """The source of events whose requests tell none."""
    tolerance: float = TOLERANCE_SECONDS
    timeout: float = 9.0
    replies: bool = False
    templates: Mapping[str, Template] = field(default_factory=dict)
    """Of attributes, by their names."""
    data: str = ""
    """A pointer to the data."""
    overrides: Mapping[str, str] = field(default_factory=dict)


def rules_of(obj: Object) -> Rules:
    """Read an object; raise ValueError where it came past admission and means nothing."""
    spec = spec_of(obj)
    known = spec.get("sender")
    sender = generic.sender(spec) if known == HTTP else SENDERS.get(str(known))
    if sender is None:
        raise ValueError(f"there is no sender {known}")
    event = spec.get("event") or {}
    texts = {**event, **(event.get("extensions") or {})}
    wanted = {n: t for n, t in texts.items() if n not in ("data", "extensions") and t}
    return Rules(
        sender,
        source=_source(obj),
        tolerance=_seconds(spec.get("tolerance"), TOLERANCE_SECONDS),
        timeout=_seconds(spec.get("timeout"), sender.seconds),
        replies=bool(spec.get("reply")),
        templates={n: templates.parse(text) for n, text in wanted.items()},
        data=event.get("data") or "",
        overrides=(spec.get("ceOverrides") or {}).get("extensions") or {},
    )


def _source(obj: Object) -> str:
    of = WEBHOOKSOURCES
    return f"/apis/{of.api_version}/namespaces/{namespace(obj)}/{of.plural}/{name(obj)}"


def _seconds(text: str | None, default: float) -> float:
    return default if text is None else parse_iso8601_duration(text)


def event_of(rules: Rules, request: Received) -> Event:
    """Return the event of a request that was checked; raise Refusal where it makes none."""
    made = rules.sender.made(request, rules.source)
    attributes = _attributes(made) | _from_templates(rules, request)
    data = made.data
    if rules.data:
        data, attributes["datacontenttype"] = _part(rules.data, request), JSON
    attributes = overridden(attributes, rules.overrides)
    try:
        check_attributes(attributes)
        for attribute, value in attributes.items():
            check_text(attribute, str(value))
    except CodecError as error:
        raise Refusal(400, f"the request makes no event: {error}") from None
    return Event(attributes, data)


def _attributes(made: Made) -> dict[str, AttributeValue]:
    optional = {"subject": made.subject, "time": made.time}
    return {
        "specversion": "1.0",
        "id": made.id,
        "type": made.type,
        "source": made.source,
        "datacontenttype": made.content_type,
        **{attribute: value for attribute, value in optional.items() if value},
        **made.extensions,
    }


def _from_templates(rules: Rules, request: Received) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {}
    for attribute, template in rules.templates.items():
        try:
            text = templates.render(template, request.at)
            if text or attribute in _REQUIRED:
                found[attribute] = text
        except Missing as error:
            if attribute in _REQUIRED:
                raise Refusal(400, f"no {attribute}: {error}") from None
    return found


def _part(pointer: str, request: Received) -> bytes:
    found = at_pointer(request.json, pointer)
    if found is None:
        raise Refusal(400, f"the body has nothing at {Place(templates.POINTER, pointer)}")
    return orjson.dumps(found)

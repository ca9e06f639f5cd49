"""WebhookSource: requests of GitHub, Slack, Stripe and others, checked and sent as events.

A kind of Hearth's own. Upstream has a source for each of some senders (GitHubSource, GitLabSource);
types and sources of events are theirs.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eventing.api import webhooktemplates as templates
from eventing.api.definitions import AGE, READY, SINK, SOURCE, SOURCES, Look, define
from eventing.api.kafkasource import SecretKeySelector
from eventing.api.settings import Settings
from eventing.api.shapes import SourceSpec, SourceStatus
from eventing.api.sources import check_source
from eventing.codec.event import TEXT_ATTRIBUTES, CodecError, check_name
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import STRING_MAP, Addressable
from hearth.knative.fielderrors import Errors, disallowed, invalid, invalid_key, missing, via
from hearth.knative.resources import WEBHOOKSOURCES
from hearth.kube.durations import parse_iso8601_duration
from hearth.kube.models import Kept, Model, Required

HTTP = "http"
"""Any sender: what is signed, and what the event is made of, the object says."""
SENDERS = ("github", "gitlab", "bitbucket", "slack", "stripe", "dockerhub", "standard", HTTP)
ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")
ENCODINGS = ("hex", "base64")
SIGNED_WORDS = ("body", "timestamp", "id")
MOST_SECRETS = 8
LONGEST_TOLERANCE_SECONDS, LONGEST_TIMEOUT_SECONDS = 86_400.0, 60.0


class WebhookSecret(Model):
    """One of the secrets that requests are checked by."""

    secret_key_ref: Annotated[Kept[SecretKeySelector], Required()] = Field(
        default_factory=SecretKeySelector
    )
    """The key of a Secret that has it."""


class WebhookSignature(Model):
    """How requests are signed: an HMAC in a header."""

    header: Annotated[Kept[str], Required()] = ""
    """The header with the signature."""
    algorithm: str = ""
    """sha256 if left out; or sha1, sha384, sha512."""
    encoding: str = ""
    """hex if left out; or base64."""
    prefix: str = ""
    """What stands before the signature in the header: sha256= for one."""
    signed: str = ""
    """What is signed: {body} if left out; also {timestamp} and {id}."""
    timestamp_header: str = ""
    """The header with the time of sending, in seconds since 1970 (or milliseconds)."""
    id_header: str = ""
    """The header with what tells deliveries apart."""


class WebhookToken(Model):
    """Where requests have the secret itself."""

    header: str = ""
    """In this header, alone or after Bearer."""
    query: str = ""
    """In this parameter of the URL."""


class WebhookEvent(Model):
    """What events are made of: templates with {header:NAME}, {query:NAME} and {/json/pointer}."""

    type: str = ""
    """The type."""
    source: str = ""
    """The source."""
    id: str = ""
    """What tells deliveries apart: one that was taken once is not sent again."""
    subject: str = ""
    """The subject."""
    time: str = ""
    """The time, as RFC 3339 has it."""
    data: str = ""
    """A JSON pointer to the part of the body that is the data; all of the body if left out."""
    extensions: STRING_MAP = Field(default_factory=dict)
    """More attributes. One is left out of an event where the request has nothing for it."""


class WebhookSourceSpec(SourceSpec):
    """Who sends, how that is checked, and where the events go."""

    sender: Annotated[Kept[str], Required()] = ""
    """github, gitlab, bitbucket, slack, stripe, dockerhub, standard or http."""
    secrets: Annotated[Kept[list[WebhookSecret]], Required()] = Field(default_factory=list)
    """What requests are checked by: any of these, so that one can be changed for another."""
    tolerance: str | None = None
    """How far the time of a signed request may be from now (ISO 8601); PT5M if left out."""
    timeout: str | None = None
    """How long the sink may take (ISO 8601): PT2.5S for slack, else PT9S if left out."""
    reply: bool = False
    """Whether the sink's answer becomes the answer to the sender."""
    signature: WebhookSignature | None = None
    """Of the sender http: how it signs."""
    token: WebhookToken | None = None
    """Of the sender http: where it sends the secret."""
    event: WebhookEvent | None = None
    """What events are made of, where it is not to be as usual for the sender."""


class WebhookSourceStatus(SourceStatus):
    """What has become of a WebhookSource."""

    url: str | None = None
    """Where the sender sends to."""
    address: Addressable | None = None
    """The same, as others tell it."""


def _default(change: Change[WebhookSourceSpec, Settings]) -> None:
    """Nothing: what is left out is what it is at the time."""


def _validate(change: Change[WebhookSourceSpec, Settings]) -> Errors:
    spec = change.new.spec
    errors = check_source(spec, change.settings.features)
    if not spec.sender:
        errors.append(missing("sender"))
    elif spec.sender not in SENDERS:
        errors.append(invalid(spec.sender, "sender", f"expected one of {', '.join(SENDERS)}"))
    errors += _check_secrets(spec)
    errors += _check_duration(spec.tolerance, "tolerance", LONGEST_TOLERANCE_SECONDS)
    errors += _check_duration(spec.timeout, "timeout", LONGEST_TIMEOUT_SECONDS)
    errors += _check_http(spec) + via(_check_event(spec.event), "event")
    return via(errors, "spec")


def _check_secrets(spec: WebhookSourceSpec) -> Errors:
    if not spec.secrets:
        return [missing("secrets")]
    errors: Errors = []
    if len(spec.secrets) > MOST_SECRETS:
        errors.append(invalid(len(spec.secrets), "secrets", f"at most {MOST_SECRETS}"))
    for index, each in enumerate(spec.secrets):
        reference = each.secret_key_ref
        lacks = [missing(field) for field in ("name", "key") if not getattr(reference, field)]
        errors += via(lacks, f"secrets[{index}]", "secretKeyRef")
    return errors


def _check_duration(text: str | None, field: str, most: float) -> Errors:
    if text is None:
        return []
    try:
        seconds = parse_iso8601_duration(text)
    except ValueError as error:
        return [invalid(text, field, str(error))]
    if not 0 < seconds <= most:
        return [invalid(text, field, f"more than nothing, at most PT{most:.0f}S")]
    return []


def _check_http(spec: WebhookSourceSpec) -> Errors:
    given = [each for each in ("signature", "token") if getattr(spec, each) is not None]
    if spec.sender != HTTP:
        return [disallowed(each) for each in given]
    errors: Errors = []
    if spec.signature is not None:
        errors += via(_check_signature(spec.signature), "signature")
    if spec.token is not None and bool(spec.token.header) == bool(spec.token.query):
        errors.append(invalid("token", "token", "expected exactly one of header, query"))
    return errors


def _check_signature(signature: WebhookSignature) -> Errors:
    errors: Errors = [] if signature.header else [missing("header")]
    if signature.algorithm not in ("", *ALGORITHMS):
        errors.append(invalid(signature.algorithm, "algorithm"))
    if signature.encoding not in ("", *ENCODINGS):
        errors.append(invalid(signature.encoding, "encoding"))
    problem = signed_problem(signature)
    return [*errors, invalid(signature.signed, "signed", problem)] if problem else errors


def signed_problem(signature: WebhookSignature) -> str:
    """Return what is wrong with what is said to be signed; nothing where it is sound."""
    try:
        places = [str(each) for each in templates.parse(signature.signed or "{body}", SIGNED_WORDS)]
    except ValueError as error:
        return str(error)
    if "body" not in places:
        return "{body} has to be signed"
    for word, header in (("timestamp", "timestampHeader"), ("id", "idHeader")):
        if word in places and not getattr(signature, f"{word}_header"):
            return f"{{{word}}} needs {header}"
    return ""


def _check_event(event: WebhookEvent | None) -> Errors:
    if event is None:
        return []
    errors: Errors = []
    for field in ("type", "source", "id", "subject", "time"):
        errors += _check_template(getattr(event, field), field)
    if event.data and not event.data.startswith("/"):
        errors.append(invalid(event.data, "data", "expected a JSON pointer, as /payload"))
    for name, text in sorted(event.extensions.items()):
        if problem := _name_problem(name):
            errors.append(invalid_key(name, "extensions", problem))
        errors += via(_check_template(text, name), "extensions")
    return errors


def _name_problem(name: str) -> str:
    try:
        check_name(name)
    except CodecError as error:
        return str(error)
    return f"{name} is no extension" if name in TEXT_ATTRIBUTES else ""


def _check_template(text: str, field: str) -> Errors:
    try:
        templates.parse(text)
    except ValueError as error:
        return [invalid(text, field, str(error))]
    return []


_COLUMNS = ("Sender", "string", ".spec.sender"), ("URL", "string", ".status.url")
DEFINITION = define(
    WEBHOOKSOURCES,
    WebhookSourceSpec,
    WebhookSourceStatus,
    Look(
        "Checks requests of webhooks, and sends them as events.",
        columns=(*_COLUMNS, SINK, AGE, *READY),
        labels=SOURCE,
        categories=SOURCES,
    ),
    default=_default,
    validate=_validate,
)

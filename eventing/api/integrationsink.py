"""IntegrationSink: events go to a log or to a service of AWS."""

from __future__ import annotations

from typing import Annotated, ClassVar

from eventing.api.definitions import ADDRESSABLE, AGE, EVENTING, READY, URL, Look, define
from eventing.api.integration import S3, Auth, Sns, Sqs, check_only_one, check_service
from eventing.api.settings import Settings
from eventing.api.shapes import AddressStatus
from hearth.knative.admission.kinds import Change
from hearth.knative.fielderrors import Errors, via
from hearth.knative.resources import INTEGRATIONSINKS
from hearth.kube.models import Model, Schema

_OFF, _ON = Schema({"default": False}), Schema({"default": True})


class Log(Model):
    """How events are logged."""

    go_type: ClassVar[str] = "v1alpha1.Log"

    logger_name: Annotated[str, Schema({"default": "log-sink"})] = ""
    """Name of the logger."""
    level: Annotated[str, Schema({"default": "INFO"})] = ""
    """Level of the lines."""
    log_mask: Annotated[bool, _OFF] = False
    """Whether what is secret is masked."""
    marker: str = ""
    """A mark on each line."""
    multiline: Annotated[bool, _OFF] = False
    """Whether each fact has a line of its own."""
    show_all_properties: Annotated[bool, _OFF] = False
    """Whether all properties are shown."""
    show_body: Annotated[bool, _ON] = False
    """Whether the data is shown."""
    show_body_type: Annotated[bool, _ON] = False
    """Whether the type of the data is shown."""
    show_exchange_pattern: Annotated[bool, _ON] = False
    """Whether the pattern of the exchange is shown."""
    show_headers: Annotated[bool, _OFF] = False
    """Whether headers are shown."""
    show_properties: Annotated[bool, _OFF] = False
    """Whether some properties are shown."""
    show_streams: Annotated[bool, _OFF] = False
    """Whether the content of streams is shown."""
    show_cached_streams: Annotated[bool, _ON] = False
    """Whether the content of streams in memory is shown."""


class AwsSink(Model):
    """A service of AWS to give events to."""

    go_type: ClassVar[str] = "v1alpha1.Aws"

    s3: S3 | None = None
    sqs: Sqs | None = None
    sns: Sns | None = None
    auth: Auth | None = None


class IntegrationSinkSpec(Model):
    """Where events go."""

    go_type: ClassVar[str] = "v1alpha1.IntegrationSinkSpec"

    aws: AwsSink | None = None
    """A service of AWS."""
    log: Log | None = None
    """A log."""


class IntegrationSinkStatus(AddressStatus):
    """What has become of an IntegrationSink."""


def _default(change: Change[IntegrationSinkSpec, Settings]) -> None:
    """The schema has all defaults."""


def _validate(change: Change[IntegrationSinkSpec, Settings]) -> Errors:
    spec, aws = change.new.spec, change.new.spec.aws or AwsSink()
    services = {"s3": aws.s3, "sqs": aws.sqs, "sns": aws.sns}
    used = {name: service for name, service in services.items() if service is not None}
    errors = check_only_one(len(used) + (spec.log is not None), "sink")
    if not errors:
        for name, service in used.items():
            errors += check_service(name, service, aws.auth)
    return via(errors, "spec")


DEFINITION = define(
    INTEGRATIONSINKS,
    IntegrationSinkSpec,
    IntegrationSinkStatus,
    Look(
        "Takes events for a log or a service of AWS.",
        columns=(URL, AGE, *READY),
        labels=ADDRESSABLE,
        categories=(*EVENTING, "sink"),
    ),
    default=_default,
    validate=_validate,
)

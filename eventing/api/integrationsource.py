"""IntegrationSource: events of a timer or of a service of AWS."""

from __future__ import annotations

from typing import Annotated, ClassVar

from eventing.api.definitions import AGE, READY, SINK, SOURCE, SOURCES, Look, define
from eventing.api.integration import (
    S3,
    Auth,
    DynamoDbStreams,
    Sqs,
    check_only_one,
    check_service,
)
from eventing.api.podtemplate import PodTemplate
from eventing.api.settings import Settings
from eventing.api.shapes import SourceSpec, SourceStatus
from hearth.knative.admission.kinds import Change
from hearth.knative.fielderrors import Errors, via
from hearth.knative.resources import INTEGRATIONSOURCES
from hearth.kube.models import Kept, Model, Schema


class Timer(Model):
    """An event each so many milliseconds."""

    go_type: ClassVar[str] = "v1alpha1.Timer"

    period: Annotated[Kept[int], Schema({"default": 1000})] = 0
    """Milliseconds between two events."""
    message: Kept[str] = ""
    """What each event carries."""
    content_type: Annotated[Kept[str], Schema({"default": "text/plain"})] = ""
    """The type of the message."""
    repeat_count: int = 0
    """How many events to send; without end when left out."""


class AwsSource(Model):
    """A service of AWS to take events from."""

    go_type: ClassVar[str] = "v1alpha1.Aws"

    s3: S3 | None = None
    sqs: Sqs | None = None
    ddb_streams: DynamoDbStreams | None = None
    auth: Auth | None = None


class IntegrationSourceSpec(SourceSpec):
    """Where events come from, and where they go."""

    go_type: ClassVar[str] = "v1alpha1.IntegrationSourceSpec"

    aws: AwsSource | None = None
    """A service of AWS."""
    timer: Timer | None = None
    """A timer."""
    template: PodTemplate | None = None
    """What the pod is to look like that does it in Knative."""


class IntegrationSourceStatus(SourceStatus):
    """What has become of an IntegrationSource."""


def _default(change: Change[IntegrationSourceSpec, Settings]) -> None:
    """The schema has all defaults."""


def _validate(change: Change[IntegrationSourceSpec, Settings]) -> Errors:
    spec, aws = change.new.spec, change.new.spec.aws or AwsSource()
    services = {"s3": aws.s3, "sqs": aws.sqs, "ddb-streams": aws.ddb_streams}
    used = {name: service for name, service in services.items() if service is not None}
    errors = check_only_one(len(used) + (spec.timer is not None), "source")
    if not errors:
        for name, service in used.items():
            errors += check_service(name, service, aws.auth)
    return via(errors, "spec")


DEFINITION = define(
    INTEGRATIONSOURCES,
    IntegrationSourceSpec,
    IntegrationSourceStatus,
    Look(
        "Sends events of a timer or of a service of AWS.",
        columns=(SINK, *READY, AGE),
        labels=SOURCE,
        categories=SOURCES,
    ),
    default=_default,
    validate=_validate,
)

"""KafkaSource: the records of Kafka's topics, as events. In both versions upstream serves.

What upstream's webhook lets pass and its ConsumerGroup refuses later, a bad ``delivery``, is
refused here at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from eventing.api import kafkascaling
from eventing.api.checks import (
    IMMUTABLE,
    default_delivery,
    default_destination,
    text_diff,
    validate_delivery,
)
from eventing.api.definitions import AGE, READY, SOURCE, Column, Look, define
from eventing.api.settings import Settings
from eventing.api.shapes import SourceSpec, SourceStatus
from eventing.api.sources import check_source
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import DeliverySpec
from hearth.knative.fielderrors import Errors, FieldError, invalid, missing, via
from hearth.knative.resources import KAFKASOURCES
from hearth.kube.models import GoType, Int32, Kept, Model, Required

EVENT_TYPE = "dev.knative.kafka.event"
KEY_TYPE_LABEL = "kafkasources.sources.knative.dev/key-type"
EARLIEST, LATEST = "earliest", "latest"
ORDERED, UNORDERED = "ordered", "unordered"
_GROUP_PREFIX = "knative-kafka-source-"


class SecretKeySelector(Model):
    """A key of a Secret of the same namespace."""

    go_type: ClassVar[str] = "v1.SecretKeySelector"

    name: str = ""
    """Name of the Secret."""
    key: Annotated[Kept[str], Required()] = ""
    """The key."""
    optional: bool | None = None
    """Whether it may be missing."""


class SecretValue(Model):
    """Where a secret value is."""

    go_type: ClassVar[str] = "v1.SecretValueFromSource"

    secret_key_ref: SecretKeySelector | None = None
    """The key that has it."""


Secret = Kept[SecretValue]


class KafkaSasl(Model):
    """How we say who we are."""

    go_type: ClassVar[str] = "v1.KafkaSASLSpec"

    enable: bool = False
    """Whether we do."""
    user: Secret = Field(default_factory=SecretValue)
    """The name."""
    password: Secret = Field(default_factory=SecretValue)
    """The password."""
    role_arn: Annotated[Secret, Field(alias="roleARN")] = Field(default_factory=SecretValue)
    """A role of AWS, for OAUTHBEARER."""
    token_provider: Secret = Field(default_factory=SecretValue)
    """Where tokens are from, for OAUTHBEARER."""
    type: Secret = Field(default_factory=SecretValue)
    """The mechanism; PLAIN where none is named."""


class KafkaTls(Model):
    """How the connection is encrypted."""

    go_type: ClassVar[str] = "v1.KafkaTLSSpec"

    enable: bool = False
    """Whether it is."""
    cert: Secret = Field(default_factory=SecretValue)
    """Our certificate (PEM)."""
    key: Secret = Field(default_factory=SecretValue)
    """Its key (PEM)."""
    ca_cert: Secret = Field(default_factory=SecretValue)
    """Whom to trust (PEM)."""


class KafkaNet(Model):
    """How Kafka is spoken with."""

    go_type: ClassVar[str] = "v1.KafkaNetSpec"

    sasl: Kept[KafkaSasl] = Field(default_factory=KafkaSasl)
    tls: Kept[KafkaTls] = Field(default_factory=KafkaTls)


class KafkaSourceSpec(SourceSpec):
    """Which records to read, and where they go."""

    go_type: ClassVar[str] = "v1.KafkaSourceSpec"

    consumers: Int32 | None = None
    """How many consumers there are in the group; 1 if left out."""
    bootstrap_servers: Annotated[Kept[list[str]], Required()] = Field(default_factory=list)
    """Where Kafka is: addresses with ports."""
    net: Kept[KafkaNet] = Field(default_factory=KafkaNet)
    """How Kafka is spoken with."""
    topics: Annotated[Kept[list[str]], Required()] = Field(default_factory=list)
    """The topics whose records are read."""
    consumer_group: str = ""
    """The group that keeps how far they are read; one is made up if left out. Cannot be changed."""
    initial_offset: Annotated[str, GoType("v1.Offset")] = ""
    """Where a new group begins: earliest or latest; the latter if left out."""
    delivery: DeliverySpec | None = None
    """How events are delivered, and what becomes of those that are not."""
    ordering: Annotated[str, GoType("v1.DeliveryOrdering")] | None = None
    """ordered: a partition's events one after the other, if left out; or unordered."""


class Placement(Model):
    """A pod of upstream's, and how many consumers it has."""

    pod_name: str = ""
    vreplicas: Int32 = 0


class KafkaSourceStatus(SourceStatus):
    """What has become of a KafkaSource."""

    consumers: Int32 = 0
    """How many consumers there are."""
    selector: str = ""
    """The labels of their pods, for who scales it."""
    claims: str = ""
    max_allowed_vreplicas: Annotated[Int32 | None, Field(alias="maxAllowedVReplicas")] = None
    placements: list[Placement] = Field(default_factory=list)


def _default(change: Change[KafkaSourceSpec, Settings]) -> None:
    new, spec = change.new, change.new.spec
    marks = kafkascaling.default_annotations(change.settings.kafka_sources)
    if marks:
        new.put("annotations", {**new.annotations, **marks})
    told: dict[str, Any] = {
        # Drawn by lot, as upstream's: an object made anew reads with a group of its own.
        "consumer_group": spec.consumer_group or f"{_GROUP_PREFIX}{uuid.uuid4()}",
        "consumers": 1 if spec.consumers is None else spec.consumers,
        "initial_offset": spec.initial_offset or LATEST,
        "ordering": ORDERED if spec.ordering is None else spec.ordering,
        "sink": default_destination(spec.sink, new.namespace),
        "delivery": default_delivery(spec.delivery, new.namespace),
    }
    new.spec = spec.model_copy(update=told)


def _validate(change: Change[KafkaSourceSpec, Settings]) -> Errors:
    spec, features = change.new.spec, change.settings.features
    errors = check_source(spec, features)
    errors += [missing("topics")] if not spec.topics else []
    errors += [missing("bootstrapServers")] if not spec.bootstrap_servers else []
    if spec.initial_offset not in (EARLIEST, LATEST):
        errors.append(invalid(spec.initial_offset, "initialOffset"))
    if spec.ordering not in (None, ORDERED, UNORDERED):
        errors.append(invalid(spec.ordering, "ordering"))
    errors += via(validate_delivery(spec.delivery, features), "delivery")
    errors = via(errors, "spec")
    before = change.old.spec.consumer_group if change.old is not None else spec.consumer_group
    if before != spec.consumer_group:
        diff = text_diff("{string}", before, spec.consumer_group)
        errors.append(FieldError(IMMUTABLE, ("spec",), diff))
    return errors


_TOPICS: Column = ("Topics", "string", ".spec.topics")
_SERVERS: Column = ("BootstrapServers", "string", ".spec.bootstrapServers")
_SCALE: Mapping[str, str] = {
    "specReplicasPath": ".spec.consumers",
    "statusReplicasPath": ".status.consumers",
    "labelSelectorPath": ".status.selector",
}
_NEWEST = define(
    KAFKASOURCES,
    KafkaSourceSpec,
    KafkaSourceStatus,
    Look(
        "Sends the records of Kafka's topics as events.",
        columns=(_TOPICS, _SERVERS, *READY, AGE),
        labels=SOURCE,
        categories=("all", "knative", "eventing", "sources"),
        scale=_SCALE,
    ),
    default=_default,
    validate=_validate,
)
DEFINITION = _NEWEST.served_as("v1beta1")

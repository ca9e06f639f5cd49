"""KafkaSink: events become records of a topic."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from eventing.api.definitions import ADDRESSABLE, AGE, READY, URL, Look, define
from eventing.api.settings import Settings
from eventing.api.shapes import AddressStatus
from hearth.knative.admission.kinds import Change
from hearth.knative.fielderrors import Errors, FieldError, invalid, via
from hearth.knative.resources import KAFKASINKS
from hearth.kube.models import Int32, Kept, Model, Required, Schema

BINARY, STRUCTURED = "binary", "structured"
_MODE = Schema({"enum": [BINARY, STRUCTURED], "default": BINARY})
_IMMUTABLE = {
    "topic": "topic",
    "replication_factor": "replicationFactor",
    "num_partitions": "numPartitions",
}


class SecretReference(Model):
    """A Secret of the same namespace."""

    go_type: ClassVar[str] = "v1alpha1.SecretReference"

    name: Annotated[Kept[str], Required()] = ""
    """Name of the Secret."""


class SinkSecret(Model):
    """The Secret that says who we are."""

    go_type: ClassVar[str] = "v1alpha1.Secret"

    ref: SecretReference | None = None


class SinkAuth(Model):
    """Who we are at Kafka."""

    go_type: ClassVar[str] = "v1alpha1.Auth"

    secret: SinkSecret | None = None
    """A Secret with protocol, sasl.mechanism, user, password, ca.crt, user.crt, user.key."""


class KafkaSinkSpec(Model):
    """Which topic the events go to."""

    go_type: ClassVar[str] = "v1alpha1.KafkaSinkSpec"

    topic: Annotated[Kept[str], Required()] = ""
    """The topic. Cannot be changed."""
    num_partitions: Int32 | None = None
    """Its partitions; it is made where this and the next are said, else it has to be there."""
    replication_factor: Int32 | None = None
    """How many servers have each record."""
    bootstrap_servers: Annotated[Kept[list[str]], Required()] = Field(default_factory=list)
    """Where Kafka is: addresses with ports."""
    content_mode: Annotated[str | None, _MODE] = None
    """How an event lies in a record: binary, or structured."""
    auth: SinkAuth | None = None
    """Who we are at Kafka."""


class KafkaSinkStatus(AddressStatus):
    """What has become of a KafkaSink."""


def _default(change: Change[KafkaSinkSpec, Settings]) -> None:
    spec = change.new.spec
    mode = {"content_mode": spec.content_mode or BINARY}
    change.new.spec = spec.model_copy(update=mode)


def _validate(change: Change[KafkaSinkSpec, Settings]) -> Errors:
    spec = change.new.spec
    errors: Errors = []
    if spec.content_mode not in (BINARY, STRUCTURED):
        errors.append(invalid(spec.content_mode, "contentMode"))
    if not spec.bootstrap_servers:
        errors.append(invalid("[]", "bootstrapServers"))
    if not spec.topic:
        errors.append(invalid("", "topic"))
    counts = {
        "replicationFactor": spec.replication_factor,
        "numPartitions": spec.num_partitions,
    }
    errors += [invalid(count, field) for field, count in counts.items() if _is_no_count(count)]
    secret = spec.auth.secret if spec.auth is not None else None
    if secret is not None and secret.ref is not None and not secret.ref.name:
        errors.append(invalid("", "auth.secret.ref.name"))
    old: Any = change.old.spec if change.old is not None else spec
    errors += [
        FieldError("Immutable field updated", (field,))
        for name, field in _IMMUTABLE.items()
        if getattr(old, name) != getattr(spec, name)
    ]
    return via(errors, "spec")


def _is_no_count(count: int | None) -> bool:
    return count is not None and count <= 0


DEFINITION = define(
    KAFKASINKS,
    KafkaSinkSpec,
    KafkaSinkStatus,
    Look(
        "Takes events for a topic of Kafka.",
        columns=(URL, AGE, *READY),
        labels=ADDRESSABLE,
    ),
    default=_default,
    validate=_validate,
)

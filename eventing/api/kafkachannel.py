"""KafkaChannel: a channel whose events are a topic of Kafka. In both versions upstream serves."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from eventing.api.channel import default_channelable
from eventing.api.checks import IMMUTABLE, validate_delivery
from eventing.api.definitions import ADDRESSABLE, AGE, MESSAGING, READY, URL, Look, define
from eventing.api.deliveryoptions import check_options
from eventing.api.inmemorychannel import check_scope, check_subscribers
from eventing.api.kafka import DEFAULT_RETENTION
from eventing.api.settings import Settings
from eventing.api.shapes import ChannelableSpec, ChannelableStatus
from hearth.knative.admission.kinds import Change
from hearth.knative.fielderrors import Errors, FieldError, invalid, via
from hearth.knative.resources import KAFKACHANNELS
from hearth.knative.structdiff import short_diff
from hearth.kube.durations import parse_iso8601_duration
from hearth.kube.models import Int32, Kept, Schema

_GO_TYPE = "v1beta1.KafkaChannelSpec"
_ONE = Schema({"default": 1})
_REPLICAS = Schema({"default": 1, "maximum": 32767})


class KafkaChannelSpec(ChannelableSpec):
    """What a KafkaChannel is to do, and what its topic is like; that cannot be changed."""

    go_type: ClassVar[str] = _GO_TYPE

    num_partitions: Annotated[Kept[Int32], _ONE] = 0
    """Partitions of the topic."""
    replication_factor: Annotated[Kept[Int32], _REPLICAS] = 0
    """How many servers have each event."""
    retention_duration: Kept[str] = ""
    """How long events are kept (ISO 8601); seven days if left out."""


class KafkaChannelStatus(ChannelableStatus):
    """What has become of a KafkaChannel."""


def _default(change: Change[KafkaChannelSpec, Settings]) -> None:
    default_channelable(change.new)
    spec = change.new.spec
    told = {
        "num_partitions": spec.num_partitions or 1,
        "replication_factor": spec.replication_factor or 1,
        "retention_duration": spec.retention_duration or DEFAULT_RETENTION,
    }
    change.new.spec = spec.model_copy(update=told)


def _validate(change: Change[KafkaChannelSpec, Settings]) -> Errors:
    new, spec = change.new, change.new.spec
    errors: Errors = []
    if spec.num_partitions <= 0:
        errors.append(invalid(spec.num_partitions, "numPartitions"))
    if spec.replication_factor <= 0:
        errors.append(invalid(spec.replication_factor, "replicationFactor"))
    if not _is_time(spec.retention_duration):
        errors.append(invalid(spec.retention_duration, "retentionDuration"))
    errors += via(validate_delivery(spec.delivery, change.settings.features), "delivery")
    errors = via(errors, "spec") + check_subscribers(spec) + check_scope(new.annotations)
    errors += check_options(new.annotations)
    return errors + (_changes(change.old.spec, spec) if change.old is not None else [])


def _is_time(text: str) -> bool:
    try:
        return parse_iso8601_duration(text) >= 0
    except ValueError:
        return False


def _changes(old: KafkaChannelSpec, new: KafkaChannelSpec) -> Errors:
    theirs: dict[str, Any] = {"subscribers": new.subscribers, "delivery": new.delivery}
    if not old.retention_duration:
        theirs["retention_duration"] = new.retention_duration
    diff = short_diff(old.model_copy(update=theirs), new, _GO_TYPE)
    return [FieldError(IMMUTABLE, ("spec",), diff)] if diff else []


DEFINITION = define(
    KAFKACHANNELS,
    KafkaChannelSpec,
    KafkaChannelStatus,
    Look(
        "A channel whose events are a topic of Kafka.",
        columns=(*READY, URL, AGE),
        labels=ADDRESSABLE | {"messaging.knative.dev/subscribable": "true"},
        categories=(*MESSAGING, "channel"),
        short_names=("kc",),
    ),
    default=_default,
    validate=_validate,
).served_as("v1")

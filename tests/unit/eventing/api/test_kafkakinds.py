"""KafkaSource, KafkaSink and KafkaChannel: defaults and checks, in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.api.kafkascaling import KafkaFeatures, KafkaSourceDefaults
from eventing.api.settings import Settings
from tests.unit.eventing.api.test_kinds import DEFINITIONS, asked, completed, said

SINK = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "s"}}
SOURCE = {"sink": SINK, "topics": ["t"], "bootstrapServers": ["k:9092"]}
TO = {"topic": "t", "bootstrapServers": ["k:9092"]}
FAILED = "validation failed: "
SECRETS: dict[str, Any] = {
    "sasl": {each: {} for each in ("password", "roleARN", "tokenProvider", "type", "user")},
    "tls": {each: {} for each in ("caCert", "cert", "key")},
}


def test_defaults_of_a_source() -> None:
    spec = completed("KafkaSource", SOURCE)
    assert spec.pop("consumerGroup").startswith("knative-kafka-source-")
    sink = {"ref": {**SINK["ref"], "namespace": "ns"}}
    assert spec == {
        **SOURCE,
        "sink": sink,
        "consumers": 1,
        "initialOffset": "latest",
        "ordering": "ordered",
        "net": SECRETS,
    }


def test_none_is_a_number_of_consumers() -> None:
    assert completed("KafkaSource", {**SOURCE, "consumers": 0})["consumers"] == 0


@pytest.mark.parametrize(
    ("kind", "spec", "complaint"),
    [
        (
            "KafkaSource",
            {},
            "expected at least one, got none: spec.sink.ref, spec.sink.uri\n"
            "missing field(s): spec.bootstrapServers, spec.topics",
        ),
        (
            "KafkaSource",
            {**SOURCE, "initialOffset": "5", "ordering": "any", "delivery": {"retry": -1}},
            "invalid value: -1: spec.delivery.retry\n"
            "invalid value: 5: spec.initialOffset\n"
            "invalid value: any: spec.ordering",
        ),
        (
            "KafkaSource",
            {**SOURCE, "ceOverrides": {"extensions": {"a-b": "1"}}},
            'invalid key name "a-b": spec.ceOverrides.extensions\n'
            "keys are expected to be alphanumeric",
        ),
        (
            "KafkaChannel",
            {
                "numPartitions": -1,
                "replicationFactor": -1,
                "retentionDuration": "long",
                "subscribers": [{"uid": "a"}],
            },
            "invalid value: -1: spec.numPartitions, spec.replicationFactor\n"
            "invalid value: long: spec.retentionDuration\n"
            "missing field(s): spec.subscribable.subscriber[0].replyURI, "
            "spec.subscribable.subscriber[0].subscriberURI\n"
            "expected at least one of, got none",
        ),
        (
            "KafkaSink",
            {},
            "invalid value: : spec.topic\ninvalid value: []: spec.bootstrapServers",
        ),
        (
            "KafkaSink",
            {
                **TO,
                "contentMode": "x",
                "numPartitions": 0,
                "replicationFactor": -1,
                "auth": {"secret": {"ref": {"name": ""}}},
            },
            "invalid value: : spec.auth.secret.ref.name\n"
            "invalid value: -1: spec.replicationFactor\n"
            "invalid value: 0: spec.numPartitions\n"
            "invalid value: x: spec.contentMode",
        ),
    ],
)
def test_complaints(kind: str, spec: dict[str, Any], complaint: str) -> None:
    assert said(asked(kind, spec)) == FAILED + complaint


def test_what_cannot_be_changed() -> None:
    old = {**SOURCE, "consumerGroup": "a"}
    assert said(asked("KafkaSource", {**SOURCE, "consumerGroup": "b"}, old=old)) == (
        f'{FAILED}Immutable fields changed (-old +new): spec\n{{string}}:\n\t-: "a"\n\t+: "b"\n'
    )
    assert said(asked("KafkaSource", {**old, "consumers": 3, "topics": ["u"]}, old=old)) == ""
    other = {"topic": "u", "bootstrapServers": ["other:1"], "numPartitions": 2}
    assert said(asked("KafkaSink", {**TO, **other}, old=TO)) == (
        FAILED + "Immutable field updated: spec.numPartitions, spec.topic"
    )
    assert said(asked("KafkaSink", {**TO, "contentMode": "structured"}, old=TO)) == ""


def test_what_cannot_be_changed_of_a_channel() -> None:
    old = {"numPartitions": 1, "replicationFactor": 1, "retentionDuration": "PT1H"}
    changed = {
        **old,
        "numPartitions": 2,
        "subscribers": [{"uid": "a", "subscriberUri": "http://a"}],
    }
    assert said(asked("KafkaChannel", changed, old=old)) == (
        f"{FAILED}Immutable fields changed (-old +new): spec\n"
        '{v1beta1.KafkaChannelSpec}.NumPartitions:\n\t-: "1"\n\t+: "2"\n'
    )
    assert said(asked("KafkaChannel", {**changed, "numPartitions": 1}, old=old)) == ""


def test_defaults_of_a_channel() -> None:
    assert completed("KafkaChannel", {}) == {
        "numPartitions": 1,
        "replicationFactor": 1,
        "retentionDuration": "PT168H",
    }
    assert [each.resource.version for each in DEFINITIONS["KafkaChannel"].kinds] == [
        "v1beta1",
        "v1",
    ]


def test_defaults_of_a_sink() -> None:
    assert completed("KafkaSink", TO) == {**TO, "contentMode": "binary"}


def test_a_source_is_scaled_and_served_in_both_versions() -> None:
    found = DEFINITIONS["KafkaSource"]
    assert [each.resource.version for each in found.kinds] == ["v1", "v1beta1"]
    assert [each.storage for each in found.crd.versions] == [True, False]
    assert all(
        (each.scale or {})["specReplicasPath"] == ".spec.consumers" for each in found.crd.versions
    )


def test_keda_by_default() -> None:
    defaults = KafkaSourceDefaults.from_data(
        {"autoscalingClass": "keda.autoscaling.knative.dev", "maxScale": "0x10"}
    )
    settings = Settings(kafka_sources=defaults)
    from hearth.knative.admission import decisions
    from tests.unit.eventing.api.test_kinds import KINDS

    changed = decisions.default(KINDS, asked("KafkaSource", SOURCE), settings).changed
    assert changed is not None
    marks = changed["metadata"]["annotations"]
    assert {name: marks[name] for name in defaults.annotations or {}} == {
        "autoscaling.knative.dev/class": "keda.autoscaling.knative.dev",
        "autoscaling.knative.dev/minScale": "1",
        "autoscaling.knative.dev/maxScale": "16",
        "keda.autoscaling.knative.dev/pollingInterval": "30",
        "keda.autoscaling.knative.dev/cooldownPeriod": "300",
        "keda.autoscaling.knative.dev/kafkaLagThreshold": "10",
    }


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (
            {"autoscalingClass": "hpa"},
            'invalid value "hpa" for autoscalingClass. '
            "Only keda.autoscaling.knative.dev is allowed",
        ),
        (
            {"autoscalingClass": "keda.autoscaling.knative.dev", "minScale": "one"},
            'strconv.ParseInt: parsing "one": invalid syntax',
        ),
    ],
)
def test_a_config_map_that_cannot_be_read(data: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError) as told:
        KafkaSourceDefaults.from_data(data)
    assert str(told.value) == why


def test_features() -> None:
    assert not KafkaFeatures.from_data({}).keda
    assert KafkaFeatures.from_data({"controller-autoscaler-keda": "Enabled"}).keda

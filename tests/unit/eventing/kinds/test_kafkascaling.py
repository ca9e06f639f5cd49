"""What has KEDA scale a KafkaSource."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.api.kafkascaling import KafkaAutoscaler, is_scaled
from eventing.kinds.kafkascaling import Scaling, ensured_scaling
from hearth.kube.plan import Create, Delete, Update

PREFIX = "autoscaling.eventing.knative.dev/"
ON = {"controller-autoscaler-keda": "enabled"}
DEFAULTS = KafkaAutoscaler.from_data({"class": "keda.autoscaling.knative.dev", "max-scale": "9"})


def a_source(net: Any = None, **annotations: str) -> Any:
    marks = {PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}
    head = {"apiVersion": "sources.knative.dev/v1", "kind": "KafkaSource"}
    spec = {"topics": ["t", "u"], "bootstrapServers": ["a:1", "b:2"], "consumerGroup": "g"}
    metadata = {"name": "k", "namespace": "ns", "uid": "uid", "annotations": marks}
    return {**head, "metadata": metadata, "spec": {**spec, "net": net or {}}}


def reference(key: str) -> dict[str, object]:
    return {"secretKeyRef": {"name": "s", "key": key}}


def test_a_scaled_object_for_the_source_itself() -> None:
    source = a_source(lag_threshold="5", activation_lag_threshold="2", min_scale="1")
    [create] = ensured_scaling(source, Scaling(wanted=True), DEFAULTS)
    assert isinstance(create, Create)
    metadata = {
        "bootstrapServers": "a:1,b:2",
        "consumerGroup": "g",
        "lagThreshold": "5",
        "activationLagThreshold": "2",
        "allowIdleConsumers": "false",
    }
    assert create.obj["metadata"]["name"] == "so-uid"
    assert create.obj["spec"] == {
        "scaleTargetRef": {
            "apiVersion": "sources.knative.dev/v1",
            "kind": "KafkaSource",
            "name": "k",
        },
        "minReplicaCount": 1,
        "maxReplicaCount": 9,
        "pollingInterval": 10,
        "cooldownPeriod": 30,
        "triggers": [
            {"type": "kafka", "metadata": {**metadata, "topic": topic}} for topic in ("t", "u")
        ],
    }
    there = Scaling(True, create.obj)
    assert ensured_scaling(source, there, DEFAULTS) == ()
    [update] = ensured_scaling(a_source(max_scale="3"), there, DEFAULTS)
    assert isinstance(update, Update)
    [delete] = ensured_scaling(source, Scaling(False, create.obj), DEFAULTS)
    assert isinstance(delete, Delete)


def test_it_is_told_where_secrets_are() -> None:
    net = {
        "sasl": {"enable": True, "user": reference("u"), "password": reference("p")},
        "tls": {"enable": True, "caCert": reference("ca"), "key": {}},
    }
    granted, scaled = ensured_scaling(a_source(net), Scaling(wanted=True), DEFAULTS)
    assert isinstance(granted, Create)
    assert isinstance(scaled, Create)
    assert granted.obj["spec"]["secretTargetRef"] == [
        {"parameter": "username", "name": "s", "key": "u"},
        {"parameter": "password", "name": "s", "key": "p"},
        {"parameter": "ca", "name": "s", "key": "ca"},
    ]
    trigger, _ = scaled.obj["spec"]["triggers"]
    assert trigger["authenticationRef"] == {"name": "so-uid"}
    assert (trigger["metadata"]["sasl"], trigger["metadata"]["tls"]) == ("plaintext", "enable")


def test_what_cannot_be_said_is_named() -> None:
    net = {"sasl": {"enable": True, "type": reference("t")}}
    with pytest.raises(ValueError, match=r"spec.net.sasl.type is in a Secret"):
        ensured_scaling(a_source(net), Scaling(wanted=True), DEFAULTS)
    with pytest.raises(ValueError) as told:
        ensured_scaling(a_source(min_scale="x"), Scaling(wanted=True), DEFAULTS)
    assert str(told.value) == (
        "Expected value for annotation: autoscaling.eventing.knative.dev/min-scale should be "
        "integer but got x"
    )
    with pytest.raises(ValueError, match=r"autoscaling annotation: .*/max-scale should be integer"):
        KafkaAutoscaler.from_data({"max-scale": "many"})
    assert KafkaAutoscaler.from_data({"class": "disabled", "max-scale": "many"}).said is None


@pytest.mark.parametrize(
    ("of_class", "features", "scaled"),
    [
        (None, {}, False),
        (None, ON, True),
        ("", ON, True),
        ("keda.autoscaling.knative.dev", ON, True),
        ("disabled", ON, False),
        ("hpa", ON, False),
        ("keda.autoscaling.knative.dev", {"controller-autoscaler-keda": "disabled"}, False),
    ],
)
def test_who_is_scaled(of_class: str | None, features: dict[str, str], scaled: bool) -> None:
    marks = {} if of_class is None else {f"{PREFIX}class": of_class}
    assert is_scaled(marks, features) is scaled

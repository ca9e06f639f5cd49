"""What a KafkaSource's adapter is told."""

from __future__ import annotations

import pytest

from eventing.api.kafkaadapter import (
    DEFAULT_DELIVERY,
    KafkaAdapterConfig,
    config_of,
    secret_variables,
)


def reference(key: str) -> dict[str, object]:
    return {"secretKeyRef": {"name": "s", "key": key}}


NET = {
    "sasl": {"enable": True, "user": reference("u"), "password": reference("p"), "type": {}},
    "tls": {"enable": True, "caCert": reference("ca"), "cert": {}},
}


def a_source(**spec: object) -> dict[str, object]:
    labels = {"kafkasources.sources.knative.dev/key-type": "int"}
    return {"metadata": {"name": "k", "namespace": "ns", "labels": labels}, "spec": spec}


def test_what_is_said_comes_through() -> None:
    spec = {"bootstrapServers": ["a:1", "b:2"], "topics": ["t"], "consumerGroup": "g"}
    config = config_of(a_source(**spec), "http://dead")
    assert KafkaAdapterConfig.from_json(config.to_json()) == KafkaAdapterConfig(
        "ns",
        "k",
        ["a:1", "b:2"],
        ["t"],
        "g",
        delivery=DEFAULT_DELIVERY,
        dead_letter="http://dead",
        key_type="int",
    )
    more = {"initialOffset": "earliest", "ordering": "unordered", "net": NET}
    config = config_of(a_source(**spec, delivery={"retry": 1}, **more))
    assert (config.earliest, config.ordered, config.delivery) == (True, False, {"retry": 1})
    assert (config.sasl, config.tls) == (True, True)


@pytest.mark.parametrize("text", ["", "{}", '{"no": 1}'])
def test_what_is_no_configuration_is_named(text: str) -> None:
    with pytest.raises(ValueError):
        KafkaAdapterConfig.from_json(text)


def test_secrets_come_as_variables() -> None:
    found = {
        each["name"]: each["valueFrom"]["secretKeyRef"]
        for each in secret_variables(a_source(net=NET))
    }
    assert found == {
        "KAFKA_NET_SASL_USER": {"name": "s", "key": "u"},
        "KAFKA_NET_SASL_PASSWORD": {"name": "s", "key": "p"},
        "KAFKA_NET_TLS_CA_CERT": {"name": "s", "key": "ca"},
    }
    off = {part: {**given, "enable": False} for part, given in NET.items()}
    assert secret_variables(a_source(net=off)) == []


def test_variables_say_what_a_secret_would_say() -> None:
    config = config_of(a_source(net=NET))
    variables = {"KAFKA_NET_SASL_USER": "u", "KAFKA_NET_SASL_PASSWORD": "p"}
    assert config.security({**variables, "KAFKA_NET_TLS_CA_CERT": "ca", "HOME": "/"}) == {
        "protocol": "SASL_SSL",
        "user": "u",
        "password": "p",
        "ca.crt": "ca",
        "user.skip": "true",
    }
    assert config_of(a_source()).security({}) == {"protocol": "PLAINTEXT", "user.skip": "true"}

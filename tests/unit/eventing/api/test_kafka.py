"""What upstream's ConfigMap and annotations say of topics."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.api import kafka, keys


def config_map(**more: str) -> dict[str, Any]:
    data = {
        "bootstrap.servers": "a:9092, b:9092,",
        "default.topic.partitions": "10",
        "default.topic.replication.factor": "3",
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    return {"metadata": {"name": kafka.CONFIG_MAP, "namespace": "knative-eventing"}, "data": data}


def annotated(name: str = "x", value: str = "") -> dict[str, Any]:
    return {"metadata": {"annotations": {name: value}}}


def test_where_kafka_is_and_who_we_are_there() -> None:
    assert kafka.bootstrap_of(config_map()) == "a:9092,b:9092"
    assert kafka.secret_of(config_map()) is None
    named = config_map(auth__secret__ref__name="s")
    assert kafka.secret_of(named) == ("knative-eventing", "s")
    elsewhere = config_map(auth__secret__ref__name="s", auth__secret__ref__namespace="n")
    assert kafka.secret_of(elsewhere) == ("n", "s")
    with pytest.raises(ValueError, match=r"invalid configuration bootstrapServers: \[\]"):
        kafka.bootstrap_of({"data": {"bootstrap.servers": " ,"}})


def test_what_topics_are_like() -> None:
    said = config_map(default__topic__config__retention__ms="5")
    assert kafka.usual_sizes(said) == {"partitions": 10, "replicas": 3}
    assert kafka.usual_settings(said) == {"retention.ms": "5"}


@pytest.mark.parametrize("value", ["", "0", "-1", "x"])
def test_counts_that_are_none_are_named(value: str) -> None:
    with pytest.raises(ValueError, match=r"default\.topic\.partitions"):
        kafka.usual_sizes(config_map(default__topic__partitions=value))


SHOP = {"metadata": {"namespace": "shop", "name": "orders", "uid": "u-1"}}


def test_names_by_upstreams_templates() -> None:
    made = [
        kafka.name_of(each, None, SHOP)
        for each in (kafka.BROKERS_TOPIC, kafka.CHANNELS_TOPIC, kafka.TRIGGERS_GROUP)
    ]
    assert made == [
        "knative-broker-shop-orders",
        "knative-messaging-kafka.shop.orders",
        "knative-trigger-shop-orders",
    ]


@pytest.mark.parametrize("key", ["brokers-topic-template", "brokers.topic.template"])
def test_templates_of_users_count(key: str) -> None:
    features = {"data": {key: "{{- .UID -}}-x"}}
    assert kafka.name_of(kafka.BROKERS_TOPIC, features, SHOP) == "u-1-x"


@pytest.mark.parametrize("text", ["{{ .Labels.a }}", "{{ .Name", "{{ if .Name }}", ".Name }}"])
def test_what_a_template_cannot_say_is_named(text: str) -> None:
    features = {"data": {"brokers-topic-template": text}}
    with pytest.raises(ValueError, match="brokers-topic-template"):
        kafka.name_of(kafka.BROKERS_TOPIC, features, SHOP)


def a_broker(of_class: str = keys.KAFKA_CLASS, **config: str) -> dict[str, Any]:
    marks = {keys.BROKER_CLASS_ANNOTATION: of_class}
    spec = {"config": config} if config else {}
    return {"metadata": SHOP["metadata"] | {"annotations": marks}, "spec": spec}


def test_a_broker_of_the_class_asks_for_its_topic() -> None:
    broker = a_broker()
    assert kafka.broker_options(SHOP, lambda _: None) == {}
    made = {"topic": "knative-broker-shop-orders"}
    assert kafka.broker_options(broker, lambda _: None) == made
    broker["spec"]["config"] = {"kind": "ConfigMap", "name": "mine"}
    assert kafka.broker_options(broker, lambda _: None) == {"at": "shop/mine"} | made
    broker["metadata"]["annotations"][kafka.EXTERNAL_TOPIC] = "theirs"
    assert kafka.broker_options(broker, lambda _: None) == {
        "at": "shop/mine",
        "topic": "theirs",
        "external": True,
    }


@pytest.mark.parametrize(
    ("broker", "named"),
    [
        pytest.param(a_broker(), "knative-eventing/kafka-broker-config", id="upstream's"),
        pytest.param(
            a_broker(kind="ConfigMap", name=keys.CONFIG_CHANNEL, namespace="knative-eventing"),
            "knative-eventing/kafka-broker-config",
            id="that of Knative's own broker says nothing of Kafka",
        ),
        pytest.param(
            a_broker(kind="ConfigMap", name="mine", namespace="other"), "other/mine", id="another"
        ),
        pytest.param(a_broker(kind="ConfigMap", name="mine"), "shop/mine", id="of its namespace"),
        pytest.param(
            a_broker(keys.KAFKA_NAMESPACED_CLASS), "shop/kafka-broker-config", id="namespaced"
        ),
        pytest.param(
            a_broker(keys.KAFKA_NAMESPACED_CLASS, kind="ConfigMap", name="mine", namespace="shop"),
            "shop/mine",
            id="namespaced, named",
        ),
    ],
)
def test_which_config_map_says_where_kafka_is(broker: dict[str, Any], named: str) -> None:
    assert kafka.config_of(broker) == named


def test_configs_that_upstream_refuses() -> None:
    with pytest.raises(ValueError, match="supported config Kind: ConfigMap - got Secret"):
        kafka.config_of(a_broker(kind="Secret", name="mine"))
    elsewhere = a_broker(
        keys.KAFKA_NAMESPACED_CLASS, kind="ConfigMap", name="mine", namespace="other"
    )
    with pytest.raises(ValueError, match="need the config in the same namespace with the broker"):
        kafka.config_of(elsewhere)


def test_what_a_channel_asks_of_its_topic() -> None:
    channel = {
        "metadata": {"name": "c", "namespace": "ns"},
        "spec": {"retentionDuration": "PT1.5S"},
    }
    assert kafka.channel_options(channel, None) == {
        "at": "knative-eventing/kafka-channel-config",
        "topic": "knative-messaging-kafka.ns.c",
        "partitions": 1,
        "replicas": 1,
        "config": {"retention.ms": "1500"},
    }
    features = {"data": {"channels-topic-template": "{{ .Name }}-of-{{ .Namespace }}"}}
    spec = {"numPartitions": 3, "replicationFactor": 2}
    found = kafka.channel_options({**channel, "spec": spec}, features)
    assert (found["topic"], found["partitions"], found["replicas"]) == ("c-of-ns", 3, 2)
    assert found["config"] == {"retention.ms": "604800000"}
    with pytest.raises(ValueError):
        kafka.channel_options({**channel, "spec": {"retentionDuration": "long"}}, None)


def test_sizes_are_kafkas_where_nothing_is_said() -> None:
    assert kafka.usual_sizes({"data": {}}) == {"partitions": -1, "replicas": -1}
    said = {"default.topic.partitions": "3", "default.topic.replication.factor": "x"}
    with pytest.raises(ValueError, match="replication"):
        kafka.usual_sizes({"data": said})

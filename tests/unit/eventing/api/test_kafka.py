"""What upstream's ConfigMap and annotations say of topics."""

from __future__ import annotations

import pytest

from eventing.api import kafka


def config_map(**more: str) -> dict:
    data = {
        "bootstrap.servers": "a:9092, b:9092,",
        "default.topic.partitions": "10",
        "default.topic.replication.factor": "3",
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    return {"metadata": {"name": kafka.CONFIG_MAP, "namespace": "knative-eventing"}, "data": data}


def annotated(name: str = "x", value: str = "") -> dict:
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


def test_what_a_topic_is_like() -> None:
    said = config_map(default__topic__config__retention__ms="5")
    assert kafka.topic_options(annotated(), said, "t") == {
        "topic": "t",
        "partitions": 10,
        "replicas": 3,
        "config": {"retention.ms": "5"},
    }
    external = annotated(kafka.EXTERNAL_TOPIC, "theirs")
    assert kafka.topic_options(external, said, "t") == {"topic": "theirs", "external": True}


@pytest.mark.parametrize("value", ["", "0", "-1", "x"])
def test_counts_that_are_none_are_named(value: str) -> None:
    with pytest.raises(ValueError, match=r"default\.topic\.partitions"):
        kafka.topic_options(annotated(), config_map(default__topic__partitions=value), "t")


def test_order_is_asked_for() -> None:
    assert not kafka.is_ordered(annotated())
    assert kafka.is_ordered(annotated(kafka.DELIVERY_ORDER, "ordered"))
    assert not kafka.is_ordered(annotated(kafka.DELIVERY_ORDER, "Unordered"))
    with pytest.raises(ValueError, match="neither"):
        kafka.is_ordered(annotated(kafka.DELIVERY_ORDER, "random"))

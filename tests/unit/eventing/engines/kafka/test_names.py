"""Names by upstream's templates."""

from __future__ import annotations

import pytest

from eventing.engines.kafka import names

SHOP = {"namespace": "shop", "name": "orders", "uid": "u-1"}


def test_upstreams_templates() -> None:
    made = [
        names.of_template(each, SHOP)
        for each in (names.BROKERS_TOPIC, names.CHANNELS_TOPIC, names.TRIGGERS_GROUP)
    ]
    assert made == [
        "knative-broker-shop-orders",
        "knative-messaging-kafka.shop.orders",
        "knative-trigger-shop-orders",
    ]
    assert names.of_template("{{- .UID -}}x", SHOP) == "u-1x"


@pytest.mark.parametrize("template", ["{{ .Labels.a }}", "{{ .Name", "{{ if .Name }}", ".Name }}"])
def test_what_a_template_cannot_say_is_named(template: str) -> None:
    with pytest.raises(ValueError, match="template"):
        names.of_template(template, SHOP)


def test_topics_of_keys_are_topics_and_differ() -> None:
    keys = ["a", "a/b", "a_b", "ä" * 300, "b" * 300, "b" * 301]
    topics = [names.check_topic(names.topic_of("hearth", key)) for key in keys]
    assert len(set(topics)) == len(keys)
    assert topics[0] == "hearth-a"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "a" * 250])
def test_no_topic(name: str) -> None:
    with pytest.raises(ValueError, match="no topic"):
        names.check_topic(name)

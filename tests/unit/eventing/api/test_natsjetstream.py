"""What a Broker asks of its stream."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.api import keys
from eventing.api.natsjetstream import (
    CONFIG_ANNOTATION,
    broker_options,
    broker_problems,
    channel_options,
    spec_problems,
)
from hearth.knative import fielderrors


def a_broker(of_class: str = keys.NATS_CLASS, **annotations: str) -> dict[str, Any]:
    marks = {keys.BROKER_CLASS_ANNOTATION: of_class, **annotations}
    return {"metadata": {"name": "b", "namespace": "shop", "annotations": marks}}


def a_config_map(text: str) -> dict[str, Any]:
    return {"data": {"config": text}}


EVERYWHERE = "clusterDefault: {stream: {replicas: 3}}\n"
IN_SHOP = EVERYWHERE + "namespaceDefaults: {shop: {stream: {replicas: 5}}}\n"


@pytest.mark.parametrize(
    ("config_map", "annotation", "replicas"),
    [
        pytest.param(None, "", None, id="nothing"),
        pytest.param(a_config_map(""), "", None, id="an empty one"),
        pytest.param(a_config_map(EVERYWHERE), "", 3, id="for the cluster"),
        pytest.param(a_config_map(IN_SHOP), "", 5, id="for the namespace"),
        pytest.param(a_config_map(IN_SHOP), '{"stream":{"replicas":1}}', 1, id="its own"),
    ],
)
def test_what_is_nearest_counts(
    config_map: dict[str, Any] | None, annotation: str, replicas: int | None
) -> None:
    broker = a_broker(**{CONFIG_ANNOTATION: annotation})
    assert broker_options(broker, config_map).get("stream", {}).get("replicas") == replicas


def test_brokers_of_other_classes_ask_for_nothing() -> None:
    assert broker_options(a_broker(keys.BROKER_CLASS), a_config_map(EVERYWHERE)) == {}


@pytest.mark.parametrize(
    ("config_map", "annotation"),
    [(None, "{"), (None, "[]"), (a_config_map("a: ["), ""), (a_config_map("text"), "")],
)
def test_what_cannot_be_read_is_named(config_map: dict[str, Any] | None, annotation: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        broker_options(a_broker(**{CONFIG_ANNOTATION: annotation}), config_map)


def told(errors: fielderrors.Errors) -> list[tuple[str, bool]]:
    return [(error.paths[0].rpartition("]")[2], error.warning) for error in errors]


def test_what_is_not_followed_is_named_to_who_writes_it() -> None:
    text = """{"stream": {"noAck": true, "maxMsgs": 7}, "filter": {"replicas": 2},
        "consumer": {"maxDeliver": 3, "consumerType": "Pull", "ackWait": "5s"}}"""
    marks = a_broker(**{CONFIG_ANNOTATION: text})["metadata"]["annotations"]
    assert told(broker_problems(marks)) == [
        (".stream.noAck", False),
        (".consumer.maxDeliver", True),
        (".filter", True),
    ]
    assert broker_problems(marks | {keys.BROKER_CLASS_ANNOTATION: keys.BROKER_CLASS}) == []
    [unread] = broker_problems(marks | {CONFIG_ANNOTATION: "{"})
    assert "cannot be read" in unread.message and not unread.warning


def test_a_channel_asks_in_its_spec() -> None:
    template = {"consumerType": "Push", "maxAckPending": 5}
    config = {"replicas": 3, "sources": [{"name": "other"}]}
    spec = {
        "stream": {"overrideName": "ORDERS", "config": config},
        "consumerConfigTemplate": template,
        "deploymentSpecTemplate": {"labels": {"a": "b"}},
    }
    assert channel_options({"spec": spec}, None) == {
        "name": "ORDERS",
        "stream": config,
        "consumer": template,
    }
    assert told(spec_problems(spec)) == [
        ("spec.stream.config.sources", False),
        ("spec.consumerConfigTemplate.consumerType", True),
        ("spec.deploymentSpecTemplate", True),
    ]
    assert channel_options({"spec": {}}, None) == {"name": "", "stream": {}, "consumer": {}}

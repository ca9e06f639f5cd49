"""What a Broker asks of its stream."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.api import keys
from eventing.api.natsjetstream import CONFIG_ANNOTATION, broker_options


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

"""What is read off stored Brokers and Triggers."""

import pytest

from eventing.api import keys, views
from eventing.api.channelviews import channel_log_key

BROKER = {
    "metadata": {
        "name": "b",
        "namespace": "ns",
        "uid": "u1",
        "annotations": {keys.BROKER_CLASS_ANNOTATION: "Mine"},
    }
}
TRIGGER = {
    "metadata": {"name": "t", "namespace": "ns", "generation": 3},
    "spec": {"broker": "b"},
    "status": {"annotations": {keys.SUBSCRIBED_ANNOTATION: "3"}},
}


def test_a_broker_names_its_engine_and_its_log() -> None:
    assert views.broker_class(BROKER) == "Mine"
    assert views.log_key(BROKER) == "ns_b_u1"
    assert views.spec_of(BROKER) == views.status_of(BROKER) == {}


def test_a_trigger_names_its_broker() -> None:
    assert views.broker_key(TRIGGER) == ("ns", "b")
    assert list(views.TRIGGERS_BY_BROKER.function(TRIGGER)) == ["ns/b"]
    assert views.broker_key({"metadata": {"namespace": "ns"}}) == ("ns", "")


def test_marks_of_the_data_plane() -> None:
    assert views.status_annotation(TRIGGER, keys.SUBSCRIBED_ANNOTATION) == "3"
    assert views.status_annotation(BROKER, keys.OPENED_ANNOTATION) is None
    assert views.subscribed_mark(TRIGGER) == "3"


@pytest.mark.parametrize("length", [1, 253])
def test_the_key_of_a_log_is_the_name_of_a_folder(length: int) -> None:
    uid = "12345678-1234-1234-1234-123456789abc"
    broker = {"metadata": {"namespace": "n" * 63, "name": "b" * length, "uid": uid}}
    for key in (views.log_key(broker), channel_log_key(broker)):
        assert len(key) <= 255
        assert key.endswith(f"_{uid}")

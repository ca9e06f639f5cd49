"""What is read off stored Brokers and Triggers."""

from eventing.api import keys, views

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

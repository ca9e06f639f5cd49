"""Which EventTypes are about which events of which Broker."""

import pytest

from eventing.api.schemachecks import TypeSchema, is_about, schema_of

BROKER = {"kind": "Broker", "metadata": {"name": "b", "namespace": "ns"}}


def event_type(reference=None, where="ns", **values):
    attributes = [{"name": each, "value": value} for each, value in values.items()]
    spec = {"attributes": attributes} | ({"reference": reference} if reference else {})
    return {"metadata": {"name": "e", "namespace": where}, "spec": spec}


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (None, True),
        ({"kind": "Broker", "name": "b"}, True),
        ({"kind": "Broker", "name": "b", "namespace": "ns"}, True),
        ({"kind": "Broker", "name": "b", "namespace": "other"}, False),
        ({"kind": "Broker", "name": "c"}, False),
        ({"kind": "Channel", "name": "b"}, False),
    ],
)
def test_an_event_type_is_about_the_broker_it_names_or_any(reference, expected):
    assert is_about(event_type(reference), BROKER) is expected


def test_an_event_type_of_another_namespace_is_about_no_broker_here():
    assert not is_about(event_type(where="other"), BROKER)


def test_what_an_event_type_says_of_data():
    found = schema_of(event_type(type="t", source="/s", schemadata='{"a": 1}'))
    assert found == TypeSchema("e", "t", "/s", '{"a": 1}')
    any_source = schema_of(event_type(type="t", source="/{shop}/x", schemadata="{}"))
    assert any_source is not None and any_source.source == ""
    assert schema_of(event_type(type="t")) is None
    assert schema_of(event_type(type="t", schemadata="http://example.com/s.json")) is None
    assert schema_of(event_type(schemadata="{}")) is None

"""Settings: Knative's defaults, scopes, flags, and what cannot be read."""

import re

import pytest

from eventing.api.settings import BrokerDefaults, Features, Observability
from eventing.install import shipped_objects

TWO_SCOPES = """
clusterDefault:
  brokerClass: A
  apiVersion: v1
  kind: ConfigMap
  name: cluster
  namespace: sys
  brokerClasses:
    B: {apiVersion: v1, kind: ConfigMap, name: cluster-b, namespace: sys}
namespaceDefaults:
  special:
    brokerClass: B
    disallowDifferentNamespaceConfig: true
    brokerClasses:
      B: {apiVersion: v1, kind: ConfigMap, name: special-b, delivery: {retry: 1}}
"""


def test_without_a_config_map_knatives_defaults_hold():
    found = BrokerDefaults.from_data({})
    config = found.config_for("ns", "")
    assert config is not None and config.reference is not None and config.delivery is not None
    assert found.class_for("ns") == "MTChannelBasedBroker"
    assert config.reference.name == "config-br-default-channel"
    assert config.delivery.retry == 10


@pytest.mark.parametrize(
    ("namespace", "of_class", "name"),
    [
        ("ns", "", "cluster"),
        ("ns", "A", "cluster"),
        ("ns", "B", "cluster-b"),
        ("ns", "Other", "cluster"),
        ("special", "", "special-b"),
        ("special", "B", "special-b"),
        ("special", "A", "cluster"),
    ],
)
def test_scopes(namespace, of_class, name):
    found = BrokerDefaults.from_data({"default-br-config": TWO_SCOPES})
    config = found.config_for(namespace, of_class)
    assert config is not None and config.reference is not None
    assert config.reference.name == name


def test_the_class_of_a_namespace():
    found = BrokerDefaults.from_data({"default-br-config": TWO_SCOPES})
    assert (found.class_for("ns"), found.class_for("special")) == ("A", "B")


def test_namespaces_may_be_kept_apart():
    found = BrokerDefaults.from_data({"default-br-config": TWO_SCOPES})
    assert found.may_differ_in_namespace("ns")
    assert not found.may_differ_in_namespace("special")


@pytest.mark.parametrize(
    "text", ["", "x: [", "[]", "clusterDefault: [1]", "clusterDefault: {delivery: 1}"]
)
def test_what_cannot_be_read_is_an_error(text):
    with pytest.raises(ValueError):
        BrokerDefaults.from_data({"default-br-config": text, "other": "x"})


@pytest.mark.parametrize(
    ("data", "enabled"),
    [
        ({}, True),
        ({"delivery-timeout": "Disabled"}, False),
        ({"delivery-timeout": "ENABLED"}, True),
    ],
)
def test_flags(data, enabled):
    assert Features.from_data(data).is_enabled("delivery-timeout") is enabled


def test_shipped_config_maps_are_the_defaults():
    shipped = {obj["metadata"]["name"]: obj.get("data", {}) for obj in shipped_objects()}
    assert BrokerDefaults.from_data(shipped["config-br-defaults"]) == BrokerDefaults.from_data({})
    assert Features.from_data(shipped["config-features"]) == Features.from_data({})
    given = {key: text for key, text in shipped["config-observability"].items() if key[0] != "_"}
    assert Observability.from_data(given) == Observability()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"tracing-protocol": "smoke"}, 'unsupported protocol "smoke"'),
        ({"tracing-protocol": "grpc"}, 'endpoint should be set for protocol "grpc"'),
        ({"tracing-endpoint": "http://c"}, "endpoint should not be set when protocol is 'none'"),
        (
            {"tracing-sampling-rate": "1.5"},
            "sampling rate 1.500000 should be less than or equal to one",
        ),
        (
            {"tracing-sampling-rate": "-1"},
            "sampling rate -1.000000 should be greater or equal to zero",
        ),
        ({"metrics-protocol": "smoke"}, 'unsupported protocol "smoke"'),
        ({"runtime-profiling": "maybe"}, 'unsupported profile setting "maybe"'),
        ({"sink-event-error-reporting.enable": "perhaps"}, "sink-event-error-reporting.enable"),
    ],
)
def test_observability_is_refused_in_knatives_words(data, complaint):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Observability.from_data(data)


def test_unknown_flags_are_off():
    assert not Features.from_data({}).is_enabled("nope")

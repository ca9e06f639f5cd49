"""What is asked of Elasticsearch and OpenSearch, and what is read out of their answers."""

from __future__ import annotations

import base64
import json

import pytest

from hearth.keda.scalers.elasticsearch import OpenSearch, cloud_address, value_of
from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.seam import ConfigError, ScalerError, TriggerConfig

SAID = {
    "addresses": "http://a",
    "username": "me",
    "password": "word",
    "index": "i",
    "valueLocation": "v",
    "targetValue": "1",
    "searchTemplateName": "jobs",
}


def body(**said):
    return read_params(OpenSearch, TriggerConfig("opensearch", {**SAID, **said})).body()


def test_a_template_is_asked_with_its_parameters():
    asked = json.loads(body(parameters="state: waiting;age:1h:2m"))
    assert asked == {"id": "jobs", "params": {"state": "waiting", "age": "1h:2m"}}
    assert json.loads(body()) == {"id": "jobs"}


@pytest.mark.parametrize("text", ["state", ":x", "state:"])
def test_a_parameter_needs_a_name_and_a_value(text):
    with pytest.raises(ScalerError, match="invalid parameter format"):
        body(parameters=text)


def test_the_address_of_a_cloud():
    host = base64.b64encode(b"eu.cloud.es.io:443$abc$def").decode()
    assert cloud_address(f"mine:{host}") == "https://abc.eu.cloud.es.io:443"


@pytest.mark.parametrize("cloud", ["mine:?", "mine:" + base64.b64encode(b"one").decode()])
def test_what_is_no_cloud(cloud):
    with pytest.raises(ConfigError, match="cannot parse cloudID"):
        cloud_address(cloud)


@pytest.mark.parametrize(
    ("found", "value"),
    [({"hits": {"total": {"value": 3}}}, 3), ({"hits": {"total": {"value": "4.5"}}}, 4.5)],
)
def test_values(found, value):
    assert value_of(found, "hits.total.value", False) == value


@pytest.mark.parametrize(
    ("found", "shown"), [({}, "Null"), ({"v": None}, "Null"), ({"v": {}}, "JSON")]
)
def test_what_is_no_number(found, shown):
    with pytest.raises(ScalerError, match=f"must point to value of type number but got: '{shown}'"):
        value_of(found, "v", False)


def test_nothing_may_be_zero():
    assert value_of({}, "v", True) == 0

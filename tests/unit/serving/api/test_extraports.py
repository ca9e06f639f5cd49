from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.api import keys
from serving.api.annotationtext import TextError
from serving.api.extraports import ExtraPort, parse_ports, port_of, ports_of

TEXT = "[{name: grpc, port: 50051, protocol: h2c}, {name: metrics, port: 9999, counted: false}]"
GRPC, METRICS = ExtraPort("grpc", 50051, "h2c"), ExtraPort("metrics", 9999, counted=False)


def test_what_is_asked_for() -> None:
    assert parse_ports(TEXT) == (GRPC, METRICS)
    marks = {keys.PORTS: TEXT}
    assert (port_of(marks, 9999), port_of(marks, 80), port_of({}, 9999)) == (METRICS, None, None)


def test_the_port_of_a_pod_and_of_a_service() -> None:
    assert GRPC.container_port() == {"name": "grpc", "containerPort": 50051, "protocol": "TCP"}
    assert GRPC.service_port() == {
        "name": "grpc",
        "port": 50051,
        "protocol": "TCP",
        "appProtocol": "kubernetes.io/h2c",
        "targetPort": "grpc",
    }
    assert "appProtocol" not in METRICS.service_port()


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("grpc=50051", "", "expected a list of ports"),
        ("[50051]", "[0]", "expected a port: name, port, protocol, counted"),
        ("[{name: grpc, number: 1}]", "[0].number", "expected one of"),
        ("[{name: Grpc, port: 1}]", "[0].name", "small letters"),
        ("[{name: a-name-of-16-chr, port: 1}]", "[0].name", "at most 15"),
        ("[{name: http, port: 1}]", "[0].name", "Knative's own"),
        ("[{name: a, port: 0}]", "[0].port", "from 1 to 65535"),
        ("[{name: a, port: true}]", "[0].port", "from 1 to 65535"),
        ("[{name: a, port: 8012}]", "[0].port", "for itself"),
        ("[{name: a, port: 80}]", "[0].port", "for itself"),
        ("[{name: a, port: 1, protocol: tcp}]", "[0].protocol", "http1 or h2c"),
        ("[{name: a, port: 1, counted: 'no'}]", "[0].counted", "true or false"),
        ("[{name: a, port: 1}, {name: a, port: 2}]", "[1].name", "twice"),
        ("[{name: a, port: 1}, {name: b, port: 1}]", "[1].port", "twice"),
        (json.dumps([{"name": "a", "port": 1}] * 11), "", "at most 10"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(text: str, path: str, message: str) -> None:
    with pytest.raises(TextError, match=message) as raised:
        parse_ports(text)
    assert raised.value.path == path
    assert ports_of({keys.PORTS: text}) == ()


@given(st.text(max_size=60))
def test_whatever_stands_there_is_ports_or_a_fault(text: str) -> None:
    try:
        found = parse_ports(text)
    except TextError as error:
        assert str(error)
    else:
        assert found

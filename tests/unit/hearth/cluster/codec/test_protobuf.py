from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.codec import protobuf
from hearth.cluster.codec.protobuf import MAGIC, ProtobufError, decode


def varint(number: int) -> bytes:
    out = bytearray()
    number &= (1 << 64) - 1
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def text(number: int, value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def a_body(api_version: str, kind: str, raw: bytes) -> bytes:
    return MAGIC + text(1, text(1, api_version) + text(2, kind)) + text(2, raw)


def test_a_config_map_with_maps_and_bytes() -> None:
    metadata = text(1, "cm") + text(3, "ns") + text(8, b"")
    raw = text(1, metadata) + text(2, text(1, "k") + text(2, "v"))
    raw += text(3, text(1, "b") + text(2, b"\x00\x01"))
    assert decode(a_body("v1", "ConfigMap", raw)) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "cm", "namespace": "ns"},
        "data": {"k": "v"},
        "binaryData": {"b": "AAE="},
    }


def test_messages_whose_fields_stand_in_the_object_itself() -> None:
    volume = text(1, "v") + text(2, text(2, text(1, "Memory") + text(2, text(1, "1Gi"))))
    raw = text(2, text(1, volume))
    spec = decode(a_body("v1", "Pod", raw))["spec"]
    assert spec == {
        "volumes": [{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}]
    }


def test_numbers_times_and_ports() -> None:
    meta = text(8, integer(1, 1_800_000_000))
    port = text(1, "http") + integer(3, 80) + text(4, integer(1, 1) + text(3, "web"))
    raw = text(1, meta) + text(2, text(1, port))
    found = decode(a_body("v1", "Service", raw))
    assert found["metadata"]["creationTimestamp"] == "2027-01-15T08:00:00Z"
    assert found["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "web"}]


def test_negative_numbers() -> None:
    raw = text(2, integer(1, -1))
    assert decode(a_body("apps/v1", "Deployment", raw))["spec"] == {"replicas": -1}


def test_options_are_of_no_group() -> None:
    found = decode(a_body("v1", "DeleteOptions", integer(1, 5) + text(4, "Foreground")))
    assert found["gracePeriodSeconds"] == 5
    assert found["propagationPolicy"] == "Foreground"


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ProtobufError, match='no kind "Widget"'):
        decode(a_body("x.io/v1", "Widget", b""))


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        decode(a_body("v1", "Pod", data))
    except ProtobufError:
        pass
    with pytest.raises(ProtobufError):
        protobuf.decode(b"x" + data)

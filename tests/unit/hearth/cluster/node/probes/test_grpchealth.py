from __future__ import annotations

import struct

import pytest

from hearth.cluster.node.probes.grpchealth import HealthReader, make_request


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes((kind, flags))
        + struct.pack(">I", stream)
        + payload
    )


def answer(status: int) -> bytes:
    message = b"\x08" + bytes((status,))
    return b"\x00" + struct.pack(">I", len(message)) + message


SETTINGS = frame(4, 0, 0, b"")
HEADERS = frame(1, 4, 1, b"\x88")


@pytest.mark.parametrize(("status", "is_serving"), [(1, True), (2, False), (3, False)])
def test_the_answer(status: int, is_serving: bool) -> None:
    reader = HealthReader()
    replies = reader.feed(SETTINGS + HEADERS + frame(0, 0, 1, answer(status)))
    assert replies == frame(4, 1, 0, b"")
    assert reader.outcome is not None and reader.outcome[0] is is_serving


def test_byte_by_byte() -> None:
    reader = HealthReader()
    for byte in SETTINGS + frame(6, 0, 0, b"12345678") + HEADERS + frame(0, 0, 1, answer(1)):
        reader.feed(bytes((byte,)))
    assert reader.outcome == (True, 'service unhealthy (responded with "SERVING")')


def test_padding_is_taken_off() -> None:
    reader = HealthReader()
    reader.feed(SETTINGS + frame(0, 8, 1, b"\x03" + answer(1) + b"\0\0\0"))
    assert reader.outcome is not None and reader.outcome[0]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(SETTINGS + frame(1, 5, 1, b"\x88"), id="trailers only"),
        pytest.param(frame(3, 0, 1, b"\0\0\0\1"), id="reset"),
        pytest.param(frame(7, 0, 0, b"\0" * 8), id="going away"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n", id="not HTTP/2"),
    ],
)
def test_no_health_service(data: bytes) -> None:
    reader = HealthReader()
    reader.feed(data)
    assert reader.outcome is not None and not reader.outcome[0]


def test_the_request_names_the_service() -> None:
    request = make_request("127.0.0.1:50051", "my.Service")
    assert request.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert b"/grpc.health.v1.Health/Check" in request
    assert request.endswith(b"\x0a\x0amy.Service")

"""What is different for a client: what no server may send, and what each side may do by itself."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activator.http.h2.codes import PREFACE, Code
from activator.http.h2.encoder import Encoder
from activator.http.h2.framing import frame
from activator.http.h2.limits import EngineLimits
from tests.unit.activator.http.h2.peers import Client, Server, error_code, frames

HEAD = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a.b")]
SETTINGS = frame(4, 0, 0, b"")
OK = Encoder().encode([(b":status", b"200")])


def asking(limits: EngineLimits | None = None) -> Client:
    """A client with a request on stream 1."""
    client = Client() if limits is None else Client(limits)
    client.engine.receive(SETTINGS)
    client.open(HEAD, b"", True)
    client.take()
    return client


@pytest.mark.parametrize(
    ("said", "code"),
    [
        pytest.param(frame(5, 4, 1, b"\0\0\0\2" + OK), Code.PROTOCOL_ERROR, id="push-promise"),
        pytest.param(frame(1, 5, 2, OK), Code.PROTOCOL_ERROR, id="a-stream-of-the-servers"),
        pytest.param(frame(1, 5, 3, OK), Code.PROTOCOL_ERROR, id="headers-on-idle"),
        pytest.param(frame(0, 1, 3, b"x"), Code.PROTOCOL_ERROR, id="data-on-idle"),
        pytest.param(frame(3, 0, 3, b"\0\0\0\1"), Code.PROTOCOL_ERROR, id="reset-of-idle"),
        pytest.param(
            frame(4, 0, 0, struct.pack(">HI", 2, 1)), Code.PROTOCOL_ERROR, id="enable-push"
        ),
        pytest.param(frame(1, 5, 1, b"\xff\xff\xff"), Code.COMPRESSION_ERROR, id="no-block"),
        pytest.param(
            frame(1, 4, 1, OK) + frame(1, 4, 1, OK), Code.PROTOCOL_ERROR, id="trailers-without-end"
        ),
        pytest.param(frame(1, 5, 1, OK) * 2, None, id="late-headers-are-passed-over"),
        pytest.param(frame(1, 5, 1, OK) + frame(3, 0, 1, b"\0\0\0\0"), None, id="late-reset"),
    ],
)
def test_what_a_server_says(said: bytes, code: Code | None) -> None:
    client = asking()
    client.engine.receive(said)
    assert error_code(client.take()) is code


def test_the_first_frame_of_a_server_is_its_settings() -> None:
    client = Client()
    client.take()
    client.engine.receive(frame(1, 5, 1, OK))
    assert error_code(client.take()) is Code.PROTOCOL_ERROR
    client = Client()
    client.take()
    client.engine.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert client.engine.is_broken and not client.engine.has_settings


def test_a_client_opens_with_its_preface_and_turns_pushes_off() -> None:
    client = Client()
    said = client.take()
    assert said.startswith(PREFACE)
    kind, _, _, payload = frames(said[len(PREFACE) :])[0]
    assert kind == 4
    assert payload[:6] == struct.pack(">HI", 2, 0)


def test_streams_have_odd_numbers_in_their_order() -> None:
    client = asking()
    lanes = [client.open(HEAD, b"", True) for _ in range(3)]
    assert [lane.id for lane in lanes] == [3, 5, 7]


def test_pods_may_ping_as_they_like_within_a_bound() -> None:
    client = asking(EngineLimits(nuisances=10))
    client.engine.receive(frame(6, 0, 0, b"12345678") * 10)
    assert not client.engine.is_broken
    client.engine.receive(frame(6, 0, 0, b"12345678") * 5)
    assert client.engine.is_broken


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_end_in_frames_or_in_a_fault(data: bytes) -> None:
    client = asking()
    client.engine.receive(data)
    written = frames(client.take())
    assert client.engine.is_broken == any(kind == 7 for kind, *_ in written)


def test_nothing_is_taken_up_behind_a_fault() -> None:
    server = Server()
    server.engine.receive(PREFACE + SETTINGS + frame(6, 0, 0, b"short"))
    assert server.engine.is_broken
    server.take()
    server.engine.receive(frame(1, 5, 1, Encoder().encode(HEAD)))
    assert server.heard == {}
    assert server.take() == b""

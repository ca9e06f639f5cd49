"""Channels in messages, in all versions; and what else the streams carry."""

from __future__ import annotations

import base64
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.runtime.api import STDERR, STDOUT, Size
from hearth.cluster.node.streaming.asks import answer, read_ask
from hearth.cluster.node.streaming.channels import Channels, Incoming
from hearth.cluster.node.streaming.outcomes import SUCCESS, exited, failed, written
from hearth.cluster.node.streaming.terminals import SizeError, Sizes
from hearth.cluster.node.streaming.websocket import Piece, WebSocketError

V4, V5, BASE64 = "v4.channel.k8s.io", "v5.channel.k8s.io", "v4.base64.channel.k8s.io"


def message(*parts: bytes) -> list[Piece]:
    last = len(parts) - 1
    return [Piece(part, at == 0, at == last) for at, part in enumerate(parts)]


def received(protocol: str, *pieces: Piece) -> list[Incoming]:
    channels = Channels(protocol)
    return [incoming for piece in pieces for incoming in channels.receive(piece)]


@pytest.mark.parametrize("protocol", [V4, V5, "channel.k8s.io", ""])
def test_octets_of_channels(protocol: str) -> None:
    pieces = [*message(b"\x00ab", b"c"), *message(b"", b"\x04", b"{}"), *message(b"")]
    found = received(protocol, *pieces, *message(b"\x01"))
    assert found == [Incoming(0, b"ab"), Incoming(0, b"c"), Incoming(4, b"{}")]
    assert Channels(protocol).pack(1, b"ab") == b"\x82\x03\x01ab"


def test_base64() -> None:
    encoded = b"0" + base64.b64encode(b"hello")
    assert received(BASE64, *message(encoded[:3], encoded[3:])) == [Incoming(0, b"hello")]
    assert received(BASE64, *message(b"")) == []
    assert Channels(BASE64).pack(2, b"hi") == b"\x81\x052aGk="
    with pytest.raises(WebSocketError, match="base64"):
        received(BASE64, *message(b"0not base64"))
    with pytest.raises(WebSocketError, match="too long"):
        received(BASE64, Piece(b"0" * 1024 * 1024, is_first=True, is_last=False), *message(b"00"))


def test_the_end_of_a_channel() -> None:
    assert received(V5, *message(b"\xff\x00")) == [Incoming(0, b"", is_last=True)]
    assert received(V5, *message(b"\xff", b"\x00")) == [Incoming(0, b"", is_last=True)]
    assert received(V4, *message(b"\xff\x00")) == [Incoming(255, b"\x00")]
    for wrong in ([b"\xff"], [b"\xff\x00\x01"], [b"\xff\x00", b"\x01"]):
        with pytest.raises(WebSocketError, match="signal"):
            received(V5, *message(*wrong))


# -- outcomes ----------------------------------------------------------------------------------


def test_outcomes() -> None:
    assert exited(0, ["ls"]) == SUCCESS
    told = orjson.loads(written(exited(3, ["sh", "-c", "exit 3"]), V4))
    assert (told["status"], told["reason"]) == ("Failure", "NonZeroExitCode")
    assert told["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    assert told["message"].startswith("command terminated with non-zero exit code: ")
    assert orjson.loads(written(SUCCESS, V5)) == {"metadata": {}, "status": "Success"}
    assert failed("x")["message"] == "Internal error occurred: x"


@pytest.mark.parametrize("protocol", ["v3.channel.k8s.io", "channel.k8s.io", ""])
def test_outcomes_of_old_versions_are_texts(protocol: str) -> None:
    assert written(SUCCESS, protocol) == b""
    assert written(failed("x"), protocol) == b"Internal error occurred: x"


# -- sizes -------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 65535)), max_size=6), st.data())
def test_sizes_however_they_are_cut(sizes: list[tuple[int, int]], data: st.DataObject) -> None:
    text = "\n".join(json.dumps({"Width": w, "Height": h}) for w, h in sizes).encode()
    cut = data.draw(st.integers(0, len(text)))
    reader = Sizes()
    found = [*reader.receive(text[:cut]), *reader.receive(text[cut:])]
    assert found == [Size(width, height) for width, height in sizes]


@pytest.mark.parametrize(
    "octets",
    [b"[]", b'{"Width":1}', b'{"Width":-1,"Height":1}', b'{"Width":true,"Height":"1"}', b"1 2"],
)
def test_what_is_no_size(octets: bytes) -> None:
    with pytest.raises(SizeError):
        list(Sizes().receive(octets))


@given(st.binary(max_size=100))
def test_whatever_comes_is_a_size_or_an_error(octets: bytes) -> None:
    reader = Sizes()
    try:
        assert all(isinstance(each, Size) for each in reader.receive(octets))
        list(reader.receive(b"[" * 5000))
    except SizeError:
        return


# -- asks --------------------------------------------------------------------------------------

ASK = {
    "verb": "exec",
    "namespace": "default",
    "pod": "p",
    "uid": "u",
    "transport": "spdy",
    "protocol": V4,
    "container": "main",
    "command": ["sh", "-c", "true"],
    "streams": ["stdin", "stdout", "tty"],
}


def test_asks() -> None:
    ask = read_ask(orjson.dumps(ASK))
    assert (ask.has_stdin, ask.outputs, ask.is_terminal) == (True, frozenset({STDOUT}), True)
    assert ask.command == ("sh", "-c", "true")
    both = read_ask(orjson.dumps(ASK | {"streams": ["stdout", "stderr"]}))
    assert (both.has_stdin, both.outputs) == (False, frozenset({STDOUT, STDERR}))
    assert answer(404, "pod does not exist") == b'{"code":404,"text":"pod does not exist"}\n'


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"verb":', b"1"])
def test_what_is_no_ask(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"ask|JSON|unexpected|document|EOF"):
        read_ask(line)

"""Header blocks: what a real kubectl sends, what no client sends."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.streaming.headers import (
    DICTIONARY,
    MOST_FIELDS,
    MOST_OCTETS,
    HeaderError,
    Packer,
    Unpacker,
)

# What kubectl 1.20 sends for ``kubectl exec -i``: a block for each of its streams.
KUBECTL = [
    "78f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff",
    "c22e555c92929907000000ffff",
    "c22ac5565c92925f5a02000000ffff",
    "c229975a5404000000ffff",
]


def test_blocks_of_a_real_client() -> None:
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2
    unpacker = Unpacker()
    fields = [unpacker.read(bytes.fromhex(block)) for block in KUBECTL]
    assert fields == [{"streamtype": each} for each in ("error", "stdin", "stdout", "stderr")]


NAMES = st.text("abcdefghij-", min_size=1, max_size=20)


@given(st.lists(st.dictionaries(NAMES, st.text(max_size=50).filter(lambda t: "\0" not in t))))
def test_what_is_packed_is_unpacked(blocks: list[dict[str, str]]) -> None:
    packer, unpacker = Packer(), Unpacker()
    assert [unpacker.read(packer.write(block)) for block in blocks] == blocks


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_whatever_comes_is_a_block_or_an_error(blocks: list[bytes]) -> None:
    unpacker = Unpacker()
    for block in blocks:
        try:
            fields = unpacker.read(block)
        except HeaderError:
            return
        assert len(fields) <= MOST_FIELDS


def packed(plain: bytes) -> bytes:
    stream = zlib.compressobj(zdict=DICTIONARY)
    return stream.compress(plain) + stream.flush(zlib.Z_SYNC_FLUSH)


def string(text: bytes, size: int | None = None) -> bytes:
    return struct.pack(">I", len(text) if size is None else size) + text


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        pytest.param(packed(bytes(MOST_OCTETS + 1)), "too long", id="bomb"),
        pytest.param(packed(struct.pack(">I", 1 << 31)), "too many", id="count"),
        pytest.param(packed(struct.pack(">I", 1) + string(b"a", 1 << 31)), "cut off", id="length"),
        pytest.param(packed(struct.pack(">I", 1) + string(b"a")), "cut off", id="no value"),
        pytest.param(packed(struct.pack(">I", 1) + string(b"\xff") * 2), "cut off", id="no text"),
        pytest.param(
            packed(struct.pack(">I", 2) + (string(b"a") + string(b"b")) * 2), "twice", id="twice"
        ),
        pytest.param(packed(struct.pack(">I", 0) + b"rest"), "more", id="more"),
        pytest.param(packed(b""), "cut off", id="empty"),
        pytest.param(b"plain", "zlib", id="not packed"),
        pytest.param(zlib.compress(struct.pack(">I", 0)) + b"more", "too long", id="ended stream"),
    ],
)
def test_hostile_blocks(block: bytes, problem: str) -> None:
    with pytest.raises(HeaderError, match=problem):
        Unpacker().read(block)


def test_of_several_values_the_first_counts() -> None:
    block = packed(struct.pack(">I", 1) + string(b"Port") + string(b"80\x0090"))
    assert Unpacker().read(block) == {"port": "80"}

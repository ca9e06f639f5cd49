from __future__ import annotations

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import given
from hypothesis import strategies as st

from activator.http.h2.huffman import BadCode, codes, decode

ENCODER = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


def test_the_code_is_that_of_the_standard() -> None:
    theirs = {
        (code, size): symbol
        for symbol, (code, size) in enumerate(zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True))
        if symbol < 256
    }
    assert codes() == theirs


@given(st.binary(max_size=200))
def test_what_was_packed_comes_back(text: bytes) -> None:
    assert decode(ENCODER.encode(text)) == text


@given(st.binary(max_size=40))
def test_any_octets_are_read_as_hpack_reads_them(data: bytes) -> None:
    try:
        theirs: bytes | None = bytes(decode_huffman(data))
    except HPACKDecodingError:
        theirs = None
    try:
        ours: bytes | None = decode(data)
    except BadCode:
        ours = None
    assert ours == theirs


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x1c\x64\x9f\xff", id="padding-of-a-whole-octet"),
        pytest.param(b"\x1c\x64\x90", id="padding-that-is-no-end-of-string"),
        pytest.param(b"\xff\xff\xff\xff", id="end-of-string-within"),
    ],
)
def test_malformed_strings(data: bytes) -> None:
    with pytest.raises(BadCode):
        decode(data)

"""The encoder and the decoder, against the package hpack and against each other."""

from __future__ import annotations

import hpack
import pytest
from hpack.table import HeaderTable
from hypothesis import given
from hypothesis import strategies as st

from activator.http.fields import Field
from activator.http.h2.decoder import BadBlock, Decoder, TooMuch
from activator.http.h2.encoder import Encoder, integer
from activator.http.h2.tables import STATIC

LIMIT = 64 * 1024
NAMES = st.sampled_from(
    [b":path", b":method", b":status", b"x-a", b"x-b", b"cookie", b"date", b"content-type"]
) | st.binary(min_size=1, max_size=20)
VALUES = st.sampled_from([b"", b"/", b"GET", b"200", b"a", b"b" * 900]) | st.binary(max_size=300)
LISTS = st.lists(st.lists(st.tuples(NAMES, VALUES), max_size=12), max_size=12)


def a_decoder(limit: int = 10**7) -> hpack.Decoder:
    made = hpack.Decoder(limit)
    made.max_allowed_table_size = 4096
    return made


def theirs(decoder: hpack.Decoder, data: bytes) -> list[Field]:
    return [(bytes(n), bytes(v)) for n, v in decoder.decode(data, raw=True)]


@given(LISTS)
def test_hpack_reads_what_we_write(lists: list[list[Field]]) -> None:
    encoder, decoder = Encoder(), a_decoder()
    for fields in [*lists, *lists]:
        assert theirs(decoder, encoder.encode(fields)) == fields


@given(LISTS, st.booleans())
def test_we_read_what_hpack_writes(lists: list[list[Field]], packs: bool) -> None:
    encoder, decoder = hpack.Encoder(), Decoder(10**7)
    for fields in [*lists, *lists]:
        assert decoder.decode(encoder.encode(fields, huffman=packs)).fields == fields


@given(LISTS, st.lists(st.integers(0, 8192), max_size=12))
def test_tables_of_other_sizes(lists: list[list[Field]], sizes: list[int]) -> None:
    encoder, decoder, ours = Encoder(), a_decoder(), Decoder(10**7)
    for at, fields in enumerate([*lists, *lists]):
        for size in sizes[at : at + 2]:
            encoder.resize(size)
        data = encoder.encode(fields)
        assert theirs(decoder, data) == fields
        assert ours.decode(data).fields == fields


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_octets_are_read_as_hpack_reads_them(blocks: list[bytes]) -> None:
    ours, reference = Decoder(10**7), a_decoder()
    for data in blocks:
        try:
            expected: list[Field] | None = theirs(reference, data)
        except Exception:
            expected = None
        try:
            found: list[Field] | None = ours.decode(data).fields
        except BadBlock:
            found = None
        assert found == expected
        if found is None:
            return


@given(LISTS, st.lists(st.tuples(st.integers(0, 100), st.booleans()), max_size=40))
def test_blocks_that_are_kept_stay_true(
    lists: list[list[Field]], order: list[tuple[int, bool]]
) -> None:
    encoder, decoder = Encoder(), a_decoder()
    for number, more in order if lists else ():
        fields = lists[number % len(lists)]
        said = [*fields, (b"x-more", b"%d" % more)]
        data = encoder.encode_again(fields, more, lambda said=said: said)  # type: ignore[misc]
        assert theirs(decoder, data) == said


def test_a_block_is_kept_once_all_its_fields_are_an_index() -> None:
    encoder, calls = Encoder(), 0
    fields = [(b":status", b"200"), (b"x-a", b"1"), (b"set-cookie", b"secret")]

    def make() -> list[Field]:
        nonlocal calls
        calls += 1
        return fields

    blocks = [encoder.encode_again(fields, None, make) for _ in range(5)]
    assert calls == 3
    assert blocks[2] == blocks[3] == blocks[4]
    # Another field that goes into the table moves all indexes.
    for _ in range(2):
        encoder.encode([(b"x-b", b"2")])
    assert encoder.encode_again(fields, None, make) != blocks[4]


def test_a_block_that_changes_no_table_is_read_once() -> None:
    decoder, encoder = Decoder(LIMIT), Encoder()
    fields = [(b":method", b"POST"), (b"x-a", b"1")]
    for _ in range(2):
        decoder.decode(encoder.encode(fields))
    block = encoder.encode(fields)
    first = decoder.decode(block)
    assert decoder.decode(block) is first
    decoder.decode(b"\x40\x01b\x01c")
    assert decoder.decode(block) is not first
    # The index names another entry now.
    assert decoder.decode(block).fields == [(b":method", b"POST"), (b"b", b"c")]


def test_a_field_that_returns_is_an_index() -> None:
    encoder = Encoder()
    sizes = [len(encoder.encode([(b"x-field", b"value")])) for _ in range(3)]
    assert sizes == [1 + 8 + 6, 1 + 8 + 6, 1]


@pytest.mark.parametrize("name", [b"authorization", b"cookie", b"set-cookie"])
def test_secrets_are_never_indexed(name: bytes) -> None:
    encoder = Encoder()
    blocks = {encoder.encode([(name, b"secret")]) for _ in range(3)}
    assert len(blocks) == 1
    assert blocks.pop()[0] & 0xF0 == 0x10


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80", id="index-0"),
        pytest.param(b"\xbe", id="index-beyond-the-table"),
        pytest.param(b"\xff\xff\xff\xff\xff\x7f", id="integer-too-large"),
        pytest.param(b"\xff\x80\x80\x80\x80\x80\x80\x00", id="integer-too-long"),
        pytest.param(b"\xff", id="integer-cut-off"),
        pytest.param(b"\x00\x05ab", id="string-cut-off"),
        pytest.param(b"\x40\x01a", id="value-missing"),
        pytest.param(b"\x00\x81\x00\x01a", id="bad-padding"),
        pytest.param(b"\x3f\xe2\x1f", id="table-larger-than-allowed"),
        pytest.param(b"\x82\x20", id="size-within-a-block"),
    ],
)
def test_malformed_blocks(data: bytes) -> None:
    with pytest.raises(BadBlock):
        Decoder(LIMIT).decode(data)


def test_a_bomb_of_indexes_is_not_unpacked() -> None:
    decoder = Decoder(LIMIT)
    decoder.decode(b"\x40\x01a" + integer(3900, 0x7F) + b"b" * 3900)
    block = decoder.decode(b"\xbe" * 20)
    assert block.is_too_large
    assert sum(len(value) for _, value in block.fields) <= LIMIT
    with pytest.raises(TooMuch):
        decoder.decode(b"\xbe" * 10_000)


@given(st.integers(0, 2**28), st.sampled_from([0x0F, 0x1F, 0x3F, 0x7F]))
def test_integers(value: int, mask: int) -> None:
    decoder = Decoder(LIMIT)
    decoder._data, decoder._at = integer(value, mask), 0
    assert decoder._integer(mask) == value


def test_the_static_table() -> None:
    assert list(STATIC[1:]) == list(HeaderTable.STATIC_TABLE)

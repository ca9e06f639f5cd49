"""Messages of the ExternalScaler service, there and back, and beside google's octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.scalers.externalmessages import (
    Amount,
    ScaledObjectRef,
    decode_active,
    decode_amounts,
    decode_request,
    encode_active,
    encode_amounts,
    encode_request,
)

_TEXT = st.text(max_size=20)
_REFERENCES = st.builds(ScaledObjectRef, _TEXT, _TEXT, st.dictionaries(_TEXT, _TEXT, max_size=3))
_AMOUNTS = st.builds(
    Amount, _TEXT, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, width=64)
)


@given(_REFERENCES, _TEXT)
def test_a_request_comes_back_as_it_was(reference, metric):
    assert decode_request(encode_request(reference, metric)) == (reference, metric)


@given(st.lists(_AMOUNTS, max_size=4))
def test_amounts_come_back_as_they_were(amounts):
    assert decode_amounts(encode_amounts(amounts)) == amounts


@pytest.mark.parametrize("active", [True, False])
def test_activity_comes_back_as_it_was(active):
    assert decode_active(encode_active(active)) is active


def test_the_octets_are_those_of_protobuf():
    reference = ScaledObjectRef("so", "ns", {"k": "v"})
    assert reference.encode() == b"\x0a\x02so\x12\x02ns\x1a\x06\x0a\x01k\x12\x01v"
    assert encode_amounts([Amount("m", 300)]) == b"\x0a\x06\x0a\x01m\x10\xac\x02"
    assert encode_active(True) == b"\x08\x01"
    assert encode_active(False) == b""


def test_a_float_counts_above_zero_only():
    assert Amount("m", 3, 0.5).number == 0.5
    assert Amount("m", 3).number == 3


def test_unknown_fields_are_skipped():
    unknown = b"\x78\x01" + b"\x7a\x01x" + b"\x7d" + bytes(4) + b"\x79" + bytes(8)
    assert decode_active(unknown + encode_active(True)) is True


@pytest.mark.parametrize(
    "message",
    [
        b"\x0a",
        b"\x0a\x05ab",
        b"\xff" * 11,
        b"\x0b",
        b"\x08\x01",
        b"\x0a\x02\x08\x01",
        b"\x0a\x01\xff",
    ],
)
def test_what_is_no_message_is_refused(message):
    with pytest.raises(ValueError, match=r"."):
        decode_request(message)


@given(st.binary(max_size=40))
def test_no_octets_do_more_than_be_read_or_refused(message):
    for decode in (decode_request, decode_amounts, decode_active):
        try:
            assert decode(message) is not None
        except ValueError:
            continue

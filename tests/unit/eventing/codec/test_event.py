"""What texts of attributes may hold, code point by code point (CloudEvents 1.0, section 3.1.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.codec.event import CodecError, check_text


def may_be_held(point: int) -> bool:
    is_control = point <= 0x1F or 0x7F <= point <= 0x9F
    is_noncharacter = 0xFDD0 <= point <= 0xFDEF or point & 0xFFFE == 0xFFFE
    return not (is_control or is_noncharacter or 0xD800 <= point <= 0xDFFF)


def is_held(text: str) -> bool:
    try:
        check_text("id", text)
    except CodecError:
        return False
    return True


def test_each_code_point_of_the_first_plane_and_the_ends_of_others():
    ends = [plane << 16 | last for plane in range(1, 17) for last in (0, 0xFFFD, 0xFFFE, 0xFFFF)]
    for point in (*range(0x10000), *ends):
        assert is_held(f"a{chr(point)}") == may_be_held(point), hex(point)


@given(st.text(max_size=30))
def test_texts(text):
    assert is_held(text) == all(may_be_held(ord(character)) for character in text)


@pytest.mark.parametrize("text", ["", "e-1", "https://shop.example/orders?x=1#y", "{a|b}~"])
def test_what_most_events_have(text):
    assert is_held(text)

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.gojson import object_error, syntax_error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(b"", "unexpected end of JSON input", id="empty"),
        pytest.param(b'{"a": 1, ', "unexpected end of JSON input", id="cut off"),
        pytest.param(b"x", "invalid character 'x' looking for beginning of value", id="word"),
        pytest.param(
            b"{a}",
            "invalid character 'a' looking for beginning of object key string",
            id="bare key",
        ),
        pytest.param(b'{"a" 1}', "invalid character '1' after object key", id="no colon"),
        pytest.param(
            b'{"a":1 "b"}', "invalid character '\"' after object key:value pair", id="no comma"
        ),
        pytest.param(b"[1 2]", "invalid character '2' after array element", id="array"),
        pytest.param(b"{} {}", "invalid character '{' after top-level value", id="two values"),
        pytest.param(
            b"tru!", "invalid character '!' in literal true (expecting 'e')", id="literal"
        ),
        pytest.param(b"-x", "invalid character 'x' in numeric literal", id="number"),
        pytest.param(
            b"1.x", "invalid character 'x' after decimal point in numeric literal", id="fraction"
        ),
        pytest.param(b"1ex", "invalid character 'x' in exponent of numeric literal", id="exponent"),
        pytest.param(b'"\n"', r"invalid character '\n' in string literal", id="newline"),
        pytest.param(b'"\\q"', "invalid character 'q' in string escape code", id="escape"),
        pytest.param(
            b'"\\u00g0"',
            r"invalid character 'g' in \u hexadecimal character escape",
            id="unicode escape",
        ),
        pytest.param(
            b"\x9e", r"invalid character '\x9e' looking for beginning of value", id="no UTF-8"
        ),
    ],
)
def test_the_message_is_gos(text: bytes, message: str) -> None:
    assert syntax_error(text) == message


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_VALUES)
def test_json_has_no_syntax_error(value: object) -> None:
    text = json.dumps(value).encode()
    if b"Infinity" not in text:
        assert syntax_error(text) == ""


@given(_VALUES, st.data())
def test_json_cut_short_ends_too_early_or_is_another_value(
    value: object, data: st.DataObject
) -> None:
    text = json.dumps([value]).encode()
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    if b"Infinity" not in text and b"e+" not in text:
        assert syntax_error(cut) != ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}', ""),
        ("null", ""),
        ("{", "unexpected end of JSON input"),
        ("[1]", "json: cannot unmarshal array into Go value of type x.Y"),
        ("5", "json: cannot unmarshal number into Go value of type x.Y"),
        ("true", "json: cannot unmarshal bool into Go value of type x.Y"),
        ('"a"', "json: cannot unmarshal string into Go value of type x.Y"),
        ("{} x", "invalid character 'x' after top-level value"),
    ],
)
def test_objects(text: str, message: str) -> None:
    assert object_error(text, "x.Y") == message

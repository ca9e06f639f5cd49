"""Templates of WebhookSources: what they may say, and that they only ever put texts together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.api.webhooktemplates import MOST_CHARACTERS, Missing, parse, render, text_at


def rendered(text: str, **values: str) -> str:
    return render(parse(text, ("body",)), lambda place: values.get(str(place).replace(":", "_")))


def test_places_are_filled() -> None:
    assert rendered("a/{header:X}-{query:q}", header_x="1", query_q="2") == "a/1-2"
    assert rendered("{{{body}}}", body="b") == "{b}"
    assert rendered("") == ""
    with pytest.raises(Missing, match=r"the request has no \{query:q\}"):
        rendered("{query:q}")
    with pytest.raises(Missing, match="more than"):
        rendered("{body}", body="b" * (MOST_CHARACTERS + 1))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "}",
        "{}",
        "{other}",
        "{header:}",
        "{header:a b}",
        "{/a~2}",
        "{a{/b}}",
        "x" * 1025,
        "{/a}" * 17,
    ],
)
def test_what_is_no_template(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_pointers() -> None:
    document = {"a": [{"b/c": "x", "n": 1.5, "t": True, "z": None}], "~": "tilde"}
    assert text_at(document, "/a/0/b~1c") == "x"
    assert text_at(document, "/~0") == "tilde"
    assert (text_at(document, "/a/0/n"), text_at(document, "/a/0/t")) == ("1.5", "true")
    for nothing in ("/a", "/a/1", "/a/-1", "/a/0/z", "/a/0/n/x", "/b", "/a/9999999999"):
        assert text_at(document, nothing) is None


@given(st.text(alphabet="{}:/~abhqerd019yu ", max_size=60))
def test_any_text_is_a_template_or_is_refused(text: str) -> None:
    try:
        template = parse(text)
    except ValueError:
        return
    assert render(template, lambda place: "") is not None

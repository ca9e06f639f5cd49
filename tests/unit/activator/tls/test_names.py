from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.tls.names import NameMap

NAMES = NameMap(
    {
        "a.example.com": "exact",
        "*.example.com": "short",
        "*.deep.example.com": "long",
        "xn--bcher-kva.example": "idna",
    }
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.example.com", "exact"),
        ("A.Example.COM", "exact"),
        ("a.example.com.", "exact"),
        ("b.example.com", "short"),
        ("x.deep.example.com", "long"),
        ("deep.example.com", "short"),
        ("y.x.deep.example.com", "long"),
        ("x.a.example.com", "short"),
        ("example.com", None),
        ("*.example.com", "short"),
        ("xn--bcher-kva.example", "idna"),
        ("", None),
        (None, None),
        (".", None),
        ("com", None),
    ],
)
def test_the_most_specific_name_wins(name: str | None, found: str | None) -> None:
    assert NAMES.find(name) == found


def test_what_is_there_for_all_others() -> None:
    names = NameMap({"*": "any", "*.example.com": "wild"})
    assert names.find("a.example.com") == "wild"
    assert names.find("other") == names.find(None) == names.find("") == "any"
    assert len(names) == 2


LABEL = st.text("abc", min_size=1, max_size=2)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join)


@given(st.sets(HOST), st.sets(HOST), HOST)
def test_against_a_search_of_all(exact: set[str], wild: set[str], name: str) -> None:
    names = NameMap({n: n for n in exact} | {f"*.{n}": f"*.{n}" for n in wild})
    matching = [f"*.{w}" for w in wild if name.endswith(f".{w}")]
    expected = name if name in exact else max(matching, key=len, default=None)
    assert names.find(name) == expected

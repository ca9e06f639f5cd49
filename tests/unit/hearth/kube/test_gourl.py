"""URLs as Go reads and writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.gourl import normalized


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", ""),
        ("/a/b", "/a/b"),
        ("HTTP://X/y?z=1#f", "http://X/y?z=1#f"),
        ("http://x/a b", "http://x/a%20b"),
        ("http://\u00fc/\u00e4", "http://%C3%BC/%C3%A4"),
        ("http://u:p@[::1]:80/", "http://u:p@[::1]:80/"),
        ("mailto:x@y", "mailto:x@y"),
        ("//host/x", "//host/x"),
    ],
)
def test_written_back(text: str, written: str) -> None:
    assert normalized(text) == written


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (":x", 'parse ":x": missing protocol scheme'),
        ("%zz", 'parse "%zz": invalid URL escape "%zz"'),
        ("http://a b", 'parse "http://a b": invalid character " " in host name'),
        ("http://x:ab", 'parse "http://x:ab": invalid port ":ab" after host'),
        ("a:b/c d", None),
        ("1a:b", 'parse "1a:b": first path segment in URL cannot contain colon'),
        ("a\nb", 'parse "a\\nb": net/url: invalid control character in URL'),
    ],
)
def test_complaints(text: str, complaint: str | None) -> None:
    if complaint is None:
        assert normalized(text) == text
        return
    with pytest.raises(ValueError) as found:
        normalized(text)
    assert str(found.value) == complaint


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        once = normalized(text)
    except ValueError:
        return
    assert normalized(once) == once

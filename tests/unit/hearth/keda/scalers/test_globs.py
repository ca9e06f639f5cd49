"""Patterns of blobs' names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.scalers.globs import compile_glob
from hearth.keda.scalers.seam import ConfigError


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("folder/*.json", ["folder/a.json", "folder/a/b.json"], ["a.json", "folder/a.jsonl"]),
        ("foo**", ["foo", "foo/bar"], ["fo"]),
        ("a?c", ["abc", "a/c"], ["ac", "abbc"]),
        ("[abc]1", ["a1", "c1"], ["d1"]),
        ("[a-c]1", ["b1"], ["d1", "-1"]),
        ("[!a-c]1", ["d1"], ["b1"]),
        ("{in,out}/*.{csv,json}", ["in/a.csv", "out/b.json"], ["in/a.xml", "up/a.csv"]),
        ("{a,b{c,d}}", ["a", "bc", "bd"], ["b", "ac"]),
        ("a\\*b,c}", ["a*b,c}"], ["axb,c}"]),
        ("a.b+", ["a.b+"], ["axb+", "a.bb"]),
    ],
)
def test_patterns(pattern, matching, others):
    found = compile_glob(pattern)
    assert [name for name in matching if not found.fullmatch(name)] == []
    assert [name for name in others if found.fullmatch(name)] == []


@pytest.mark.parametrize("pattern", ["\ud800", "[\\]", "[", "[]", "[z-a]", "{a", "a\\", "x" * 2000])
def test_what_is_no_pattern(pattern):
    with pytest.raises(ConfigError, match="invalid glob pattern"):
        compile_glob(pattern)


@given(st.text(max_size=200))
def test_any_text_is_a_pattern_or_refused(text):
    try:
        compile_glob(text).fullmatch("a name")
    except ConfigError as fault:
        assert "invalid glob pattern" in str(fault)


@given(
    st.text(st.characters(exclude_characters="*?[]{},\\", exclude_categories=["Cs"]), max_size=50)
)
def test_a_name_without_signs_matches_itself(name):
    assert compile_glob(name).fullmatch(name)


def test_a_pattern_of_many_stars_takes_no_time():
    assert not compile_glob("*a" * 500).fullmatch("a" * 499 + "b" * 500)

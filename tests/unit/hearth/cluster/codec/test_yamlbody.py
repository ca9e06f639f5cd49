from __future__ import annotations

import time

import pytest

from hearth.cluster.codec.yamlbody import YamlError, load_yaml, warnings_of

_ALIASING = "excessive aliasing"
_DEPTH = "exceeded max depth"


def _doubling(line: str, levels: int) -> bytes:
    """Each level stands for ten of the one before."""
    return "\n".join(line.format(n=n, m=n - 1) for n in range(1, levels)).encode()


LISTS = b"a0: &a0 [x]\n" + _doubling("a{n}: &a{n} [" + ",".join(["*a{m}"] * 10) + "]", 12)
MERGES = b"a0: &a0 {x: 1}\n" + _doubling(
    "a{n}: &a{n} {{<<: [" + ",".join(["*a{m}"] * 10) + "], k{n}: 1}}", 12
)
LONG = b"a: &a " + b"x" * 100_000 + b"\nb: [" + b"*a," * 1000 + b"]"
WIDE_MERGE = (
    b"a: &a {" + b",".join(b"k%d" % n for n in range(10_000)) + b"}\n"
    b"b: {<<: [" + b"*a," * 10_000 + b"]}"
)


def test_times_stay_text_and_keys_become_text() -> None:
    assert load_yaml(b"{at: 2026-01-01T00:00:00Z, 2: x, true: y}")[0] == {
        "at": "2026-01-01T00:00:00Z",
        "2": "x",
        "true": "y",
    }


def test_aliases_and_merges_are_written_out() -> None:
    text = b"base: &b {a: 1, list: &l [1, 2]}\nother: {<<: *b, a: 2}\nagain: *l"
    assert load_yaml(text)[0] == {
        "base": {"a": 1, "list": [1, 2]},
        "other": {"a": 2, "list": [1, 2]},
        "again": [1, 2],
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(LISTS, _ALIASING, id="lists of lists"),
        pytest.param(MERGES, _ALIASING, id="merges of merges"),
        pytest.param(WIDE_MERGE, _ALIASING, id="one mapping merged often"),
        pytest.param(LONG, _ALIASING, id="one long text often"),
        pytest.param(b"a: &a {b: *a}", _DEPTH, id="holds itself"),
        pytest.param(b"[" * 300_000, _DEPTH, id="deep list"),
        pytest.param(b"{a: " * 300_000, _DEPTH, id="deep mapping"),
        pytest.param(b"- " * 300_000, _DEPTH, id="deep on one line"),
        pytest.param(b"? " * 300_000, _DEPTH, id="deep keys"),
        pytest.param(b"a: [", "line", id="no end"),
        pytest.param(b"a: !!python/object/apply:os.getpid []", "tag", id="a tag of Python"),
    ],
)
def test_what_cannot_be_taken_is_refused_at_once(text: bytes, complaint: str) -> None:
    start = time.process_time()
    with pytest.raises(YamlError, match=complaint):
        load_yaml(text)
    assert time.process_time() - start < 2.0  # written out, a list of lists took seven


def test_many_aliases_of_something_small_are_fine() -> None:
    text = b"a: &a {x: 1}\nb: [" + b",".join([b"*a"] * 5000) + b"]"
    assert load_yaml(text)[0]["b"] == [{"x": 1}] * 5000


def test_keys_that_come_twice_are_named_with_their_lines() -> None:
    value, complaint = load_yaml(b"a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")
    assert value == {"a": 3, "b": {"c": 2}}
    lines = ['line 4: key "c" already set in map', 'line 5: key "a" already set in map']
    assert complaint == "yaml: unmarshal errors:\n  " + "\n  ".join(lines)
    assert warnings_of(complaint) == lines
    assert load_yaml(b"a: {b: 1}\nc: {b: 1}") == ({"a": {"b": 1}, "c": {"b": 1}}, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"a: b: c", "yaml: mapping values are not allowed in this context"),
        (b"a:\n\t- b", "yaml: line 2: found character that cannot start any token"),
    ],
)
def test_what_is_no_yaml_is_refused_in_the_words_of_go(text: bytes, problem: str) -> None:
    with pytest.raises(YamlError) as refusal:
        load_yaml(text)
    assert str(refusal.value) == problem

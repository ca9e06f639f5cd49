from __future__ import annotations

import pytest

from hearth.cluster.apiserver.yamlbody import YamlError, load_yaml

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
    assert load_yaml(b"{at: 2026-01-01T00:00:00Z, 2: x, true: y}") == {
        "at": "2026-01-01T00:00:00Z",
        "2": "x",
        "true": "y",
    }


def test_aliases_and_merges_are_written_out() -> None:
    text = b"base: &b {a: 1, list: &l [1, 2]}\nother: {<<: *b, a: 2}\nagain: *l"
    assert load_yaml(text) == {
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
    with pytest.raises(YamlError, match=complaint):
        load_yaml(text)

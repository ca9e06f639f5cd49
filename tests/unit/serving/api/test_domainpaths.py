from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.api import keys
from serving.api.annotationtext import TextError
from serving.api.domainpaths import MappedPath, is_wildcard, parse_paths, paths_of, rewritten

SEGMENTS = st.text("abc.-", min_size=1, max_size=4)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


def test_the_longest_path_is_first() -> None:
    text = "[{path: /a, service: one}, {path: /a/b/, service: two, rewrite: /}]"
    assert parse_paths(text) == (MappedPath("/a/b", "two", "/"), MappedPath("/a", "one"))


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        pytest.param("true", "", "expected a list of paths", id="no list"),
        pytest.param("[", "", "it is neither JSON nor YAML", id="no text of either"),
        pytest.param("[1]", "[0]", "expected a path: path, service, rewrite", id="no path"),
        pytest.param("[{path: /a, to: b}]", "[0].to", "expected one of", id="unknown field"),
        pytest.param("[{path: /a}]", "[0].service", "expected the name of a Service", id="nowhere"),
        pytest.param(
            "[{path: /a, service: x.y}]", "[0].service", "expected the name", id="no name"
        ),
        pytest.param("[{path: a, service: b}]", "[0].path", "begins with a slash", id="relative"),
        pytest.param("[{path: '/a?b', service: b}]", "[0].path", "without a query", id="query"),
        pytest.param("[{path: /, service: b}]", "[0].path", "goes to spec.ref", id="all"),
        pytest.param(
            "[{path: /a, service: b, rewrite: x}]", "[0].rewrite", "begins with", id="rewrite"
        ),
        pytest.param(
            "[{path: /a, service: b}, {path: /a/, service: c}]", "[1].path", "twice", id="twice"
        ),
        pytest.param(
            json.dumps([{"path": f"/{n}", "service": "a"} for n in range(101)]),
            "",
            "at most 100",
            id="many",
        ),
        pytest.param("[" + " " * 17_000 + "]", "", "longer than", id="long"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(text: str, path: str, message: str) -> None:
    with pytest.raises(TextError, match=message) as raised:
        parse_paths(text)
    assert raised.value.path == path
    assert paths_of({keys.DOMAIN_PATHS: text}) == ()


@given(st.text(max_size=60))
def test_whatever_stands_there_is_paths_or_a_fault(text: str) -> None:
    try:
        found = parse_paths(text)
    except TextError as error:
        assert str(error)
    else:
        assert all(each.path.startswith("/") for each in found)


def test_a_wildcard_is_asked_for_by_true() -> None:
    assert is_wildcard({keys.DOMAIN_WILDCARD: "true"})
    assert not any(is_wildcard({keys.DOMAIN_WILDCARD: each}) for each in ("false", "yes", ""))
    assert not is_wildcard({})


@pytest.mark.parametrize(
    ("target", "prefix", "rewrite", "expected"),
    [
        ("/api/users?x=1", "/api", "/", "/users?x=1"),
        ("/api", "/api", "/", "/"),
        ("/api?x", "/api", "/", "/?x"),
        ("/api/users", "/api", "/v2", "/v2/users"),
        ("/api/users", "/api", "/v2/", "/v2/users"),
        ("/api//users", "/api", "/", "//users"),
    ],
)
def test_a_rewrite(target: str, prefix: str, rewrite: str, expected: str) -> None:
    assert rewritten(target.encode(), prefix.encode(), rewrite.encode()) == expected.encode()


@given(PATHS, PATHS, st.one_of(st.just(""), PATHS), st.sampled_from(["", "?", "?a=/b"]))
def test_what_follows_the_prefix_stays(prefix: str, rewrite: str, rest: str, query: str) -> None:
    made = rewritten((prefix + rest + query).encode(), prefix.encode(), rewrite.encode()).decode()
    assert made == rewrite + rest + query
    with_slash = rewritten((prefix + rest + query).encode(), prefix.encode(), b"/").decode()
    assert with_slash == (rest or "/") + query

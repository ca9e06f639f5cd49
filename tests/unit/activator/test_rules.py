"""Rules of the add-on: what its own tests of matching say, and what the gateway adds."""

from __future__ import annotations

import pytest

from activator.http.events import RequestHead
from activator.rules import compiled_rule, fields_of, host_of, is_under, path_of
from hearth.keda.api.httproutes import HeaderMatch, Rule


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", b""),
        (b"//", b""),
        (b"/api/", b"api"),
        (b"/api/v1?x=/y", b"api/v1"),
        (b"/%61pi", b"api"),
        (b"*", b"*"),
    ],
)
def test_paths_have_no_outer_slashes_and_no_query(target: bytes, path: bytes) -> None:
    assert path_of(target) == path


@pytest.mark.parametrize(
    ("path", "prefix", "matches"),
    [
        (b"api", b"", True),
        (b"api", b"api", True),
        (b"api/v1", b"api", True),
        (b"apis", b"api", False),
        (b"", b"api", False),
    ],
)
def test_a_prefix_is_of_whole_segments(path: bytes, prefix: bytes, matches: bool) -> None:
    assert is_under(path, prefix) is matches


@pytest.mark.parametrize(
    ("rule", "host", "matches"),
    [
        (Rule(), b"a.test", True),
        (Rule(hosts=("*",)), b"a.test", True),
        (Rule(hosts=("A.Test",)), b"a.test", True),
        (Rule(hosts=("b.test",)), b"a.test", False),
        (Rule(hosts=("b.test", "*.test")), b"a.b.test", True),
        (Rule(hosts=("*.test",)), b"test", False),
        (Rule(hosts=("*.test",)), b"atest", False),
        (Rule(hosts=("a.test:8080",)), b"a.test", True),
    ],
)
def test_hosts(rule: Rule, host: bytes, matches: bool) -> None:
    assert compiled_rule(rule).matches(host, b"", []) is matches


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        (HeaderMatch("X-A"), True),
        (HeaderMatch("x-a", "1"), True),
        (HeaderMatch("x-a", "2"), True),
        (HeaderMatch("x-a", "3"), False),
        (HeaderMatch("x-b"), False),
        (HeaderMatch("x-c", ""), True),
    ],
)
def test_fields_that_come_more_than_once_match_by_any(header: HeaderMatch, matches: bool) -> None:
    fields = [(b"X-A", b"1"), (b"x-a", b" 2"), (b"X-C", b"")]
    assert compiled_rule(Rule(headers=(header,))).matches(b"a.test", b"", fields) is matches


def test_a_host_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="is no host name"):
        compiled_rule(Rule(hosts=("a b",)))


def test_fields_that_the_gateway_has_taken_are_matched_as_well() -> None:
    head = RequestHead.of(b"GET", b"/", b"A.test:80")
    head.taken = {b"x-forwarded-proto": b"https"}
    assert fields_of(head) == [(b"x-forwarded-proto", b"https")]
    assert host_of(head) == b"a.test"

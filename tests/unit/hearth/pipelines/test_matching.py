"""Which events a pattern is for, and that Triggers let at least those through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.filters import compile_filters
from hearth.pipelines.sdk.matching import check, expression, matches, split

GITHUB = {
    "specversion": "1.0",
    "id": "1",
    "type": "dev.knative.source.github.push",
    "source": "https://github.com/acme/shop",
    "ref": "refs/heads/main",
}


@pytest.mark.parametrize(
    ("pattern", "sides"),
    [
        ("github:push", ("github", "push")),
        ("push", ("*", "push")),
        ("https://github.com/acme/shop:push", ("https://github.com/acme/shop", "push")),
        ("bitbucket:repo:push", ("bitbucket", "repo:push")),
    ],
)
def test_a_pattern_has_a_source_and_a_type(pattern: str, sides: tuple[str, str]) -> None:
    assert split(pattern) == sides


@pytest.mark.parametrize("pattern", ["", ":push", "github:", " : ", "x" * 300])
def test_what_is_no_pattern_is_said(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no SOURCE:TYPE"):
        split(pattern)


def test_what_is_no_attribute_is_said() -> None:
    with pytest.raises(ValueError, match="'Ref' is no attribute of a CloudEvent"):
        check("github:push", {"Ref": "x"})


@pytest.mark.parametrize(
    ("pattern", "attributes", "expected"),
    [
        ("github:push", {}, True),
        ("push", {}, True),
        ("*:*", {}, True),
        ("github:pu*", {}, True),
        ("https://github.com/*:push", {}, True),
        ("https://github.com/acme/shop:dev.knative.source.github.push", {}, True),
        ("github:push", {"ref": "refs/heads/*"}, True),
        ("github:push", {"ref": "refs/tags/*"}, False),
        ("github:push", {"nothere": "*"}, False),
        ("gitlab:push", {}, False),
        ("hub:push", {}, False),
        ("github:ush", {}, False),
        ("github:pull_request", {}, False),
    ],
)
def test_events_of_a_pattern(pattern: str, attributes: dict[str, str], expected: bool) -> None:
    assert matches(pattern, attributes, GITHUB) is expected
    if expected:
        assert lets_through(pattern, attributes, GITHUB)


def lets_through(pattern: str, attributes: dict[str, str], event: dict[str, str]) -> bool:
    compiled = compile_filters([{"cesql": expression(pattern, attributes)}])
    return bool(compiled.matches(dict(event)))


SIDES = st.text(alphabet="ab.*?_%'\\-/", min_size=1, max_size=6)


@given(SIDES, SIDES, st.text("ab._%'\\-/", min_size=1, max_size=6), st.text("ab.-_%", min_size=1))
def test_a_trigger_lets_through_what_matches(source: str, kind: str, a: str, b: str) -> None:
    event = {"specversion": "1.0", "id": "1", "source": a, "type": b}
    pattern = f"{source}:{kind}"
    try:
        found = matches(pattern, {}, event)
    except ValueError:
        return
    assert not found or lets_through(pattern, {}, event)

"""JSONPaths of mappings."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.servicebinding.paths import PathError, get, matches, parse, put

POD = {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}


@pytest.mark.parametrize(
    ("text", "fixed", "steps"),
    [
        (".name", True, ("name",)),
        ("['name']", True, ("name",)),
        (".spec['template'].spec['volumes']", True, ("spec", "template", "spec", "volumes")),
        ("['a.b/c']", True, ("a.b/c",)),
        ("['it\\'s']", True, ("it's",)),
        (".spec.containers[*]", False, ("spec", "containers", "*")),
        (".spec.*[0]", False, ("spec", "*", 0)),
    ],
)
def test_paths_that_are_understood(text: str, fixed: bool, steps: tuple[Any, ...]) -> None:
    assert parse(text, fixed=fixed) == steps


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        *(("", True), ("name", True), (".a..b", False), (".a[?(@.b)]", False), (".a[1:2]", False)),
        *((".a[*]", True), (".a[0]", True), (".a.*", True), (".a[99999]", False), ("['a", True)),
    ],
)
def test_paths_that_are_refused(text: str, fixed: bool) -> None:
    with pytest.raises(PathError):
        parse(text, fixed=fixed)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (".spec.containers[*].name", ["a", "b"]),
        (".spec.containers[1].name", ["b"]),
        (".spec.containers[7].name", []),
        (".spec.*[0].name", ["a"]),
        (".status[*].name", []),
        (".spec.containers.name", []),
    ],
)
def test_what_a_path_leads_to(text: str, names: list[str]) -> None:
    assert list(matches(POD, parse(text, fixed=False))) == names


def test_what_is_not_there_is_made_and_what_is_empty_goes() -> None:
    obj: dict[str, Any] = {}
    path = parse(".a.b", fixed=True)
    put(obj, path, [])
    assert obj == {}
    put(obj, path, [1])
    assert get(obj, path) == [1]
    put(obj, path, [])
    assert obj == {"a": {}}
    with pytest.raises(PathError):
        put({"a": "text"}, path, [1])

"""Checks of fields that many kinds have."""

from __future__ import annotations

import pytest

from hearth.cluster.model.checks import path_segment_problems


@pytest.mark.parametrize(
    ("name", "problems"),
    [
        ("a.b", []),
        (".", ["may not be '.'"]),
        ("a/b", ["may not contain '/'"]),
        ("%/", ["may not contain '/'", "may not contain '%'"]),
    ],
)
def test_no_name_leaves_its_path(name: str, problems: list[str]) -> None:
    assert path_segment_problems(name) == problems

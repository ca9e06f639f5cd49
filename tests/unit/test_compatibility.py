"""The page of features and upstream's tests names tests that exist, or says that there is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / name for name in ("compatibility-serving.md", "compatibility.md")]
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    for line in PAGES[0].read_text().splitlines()
    if line.startswith("| ")
]
SHORT = {row[0].strip("`") for row in ROWS if len(row) == 2 and row[1].startswith("`tests/")}
NAMED = sorted(
    {
        name
        for page in PAGES
        for name in re.findall(
            r"`((?:tests/[\w/.-]+|conformance/[\w/]+\.py)(?:::\w+)?)`", page.read_text()
        )
    }
)


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 80
    assert {"REF", "DEP", "WORLD", "GOLD"} == SHORT


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert (ROOT / path).exists()
    if function:
        assert re.search(rf"def {function}\b", (ROOT / path).read_text())


def test_each_feature_has_a_test_or_says_that_it_has_none() -> None:
    features = [row for row in ROWS if len(row) == 3 and row[2].startswith(("`", "no test"))]
    assert len(features) > 80
    for feature, state, tests in features:
        assert feature
        assert state
        names = [each.strip() for each in tests.split(",")]
        assert tests == "no test" or all(
            re.fullmatch(r"`[^`]+`", each) and (each.strip("`") in SHORT or "/" in each)
            for each in names
        ), feature


def test_each_test_of_upstream_that_does_not_pass_says_why() -> None:
    upstream = [row for row in ROWS if len(row) == 6 and row[1].startswith("`")]
    assert len(upstream) > 130
    for _, name, processes, _, _, why in upstream:
        assert processes == "passes" or why, name

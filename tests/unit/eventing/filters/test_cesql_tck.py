"""The grammar of CESQL against the cases of the CloudEvents conformance kit."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from eventing.filters.cesqlsyntax import CesqlError, check_syntax
from tests.recordings import CESQL, scenarios


def cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{file.stem}: {case['name']}")
        for file in scenarios(CESQL)
        for case in yaml.safe_load(file.read_text())["tests"]
    ]


def as_written(expression: Any) -> str:
    """YAML reads an unquoted TRUE or 0 as a value; the kit means the text."""
    return str(expression).upper() if isinstance(expression, bool) else str(expression)


@pytest.mark.parametrize("case", cases())
def test_what_the_kit_parses_is_accepted_and_nothing_else(case: dict[str, Any]) -> None:
    expression = as_written(case["expression"])
    if case.get("error") == "parse":
        with pytest.raises(CesqlError):
            check_syntax(expression)
    else:
        check_syntax(expression)

"""CESQL against the CloudEvents conformance kit: values and errors of all its cases."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from eventing.filters import compile_filters
from eventing.filters.cesql import CesqlError, compile_expression
from tests.recordings import CESQL, scenarios


class TextTimes(yaml.SafeLoader):
    """YAML whose timestamps stay texts, as attributes of events are."""


def text_of_time(loader: TextTimes, node: yaml.ScalarNode) -> Any:
    return loader.construct_scalar(node)


TextTimes.add_constructor("tag:yaml.org,2002:timestamp", text_of_time)

FULL_EVENT = {
    "specversion": "1.0",
    "id": "full",
    "source": "http://example.com/source",
    "type": "com.example.full",
    "subject": "topic",
    "time": "2020-03-21T12:34:56.78Z",
    "datacontenttype": "text/json",
}


def cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{file.stem}: {case['name']}")
        for file in scenarios(CESQL)
        for case in yaml.load(file.read_text(), TextTimes)["tests"]
    ]


def as_written(expression: Any) -> str:
    """YAML reads an unquoted TRUE or 0 as a value; the kit means the text."""
    return str(expression).upper() if isinstance(expression, bool) else str(expression)


def event_of(case: dict[str, Any]) -> dict[str, Any]:
    return (case.get("event") or FULL_EVENT) | (case.get("eventOverrides") or {})


def test_the_kit_is_whole() -> None:
    assert len(cases()) == 275


@pytest.mark.parametrize("case", cases())
def test_values_and_errors_are_those_of_the_kit(case: dict[str, Any]) -> None:
    text = as_written(case["expression"])
    if case.get("error") == "parse":
        with pytest.raises(CesqlError):
            compile_expression(text)
        return
    got = compile_expression(text).evaluate(event_of(case))
    assert got.value == case["result"]
    assert got.value.__class__ is case["result"].__class__
    assert (got.error.kind.value if got.error else None) == case.get("error")


@pytest.mark.parametrize(
    "case", [each for each in cases() if each.values[0].get("error") != "parse"]
)
def test_a_filter_passes_what_is_true_without_an_error(case: dict[str, Any]) -> None:
    compiled = compile_filters([{"cesql": as_written(case["expression"])}])
    passes = case["result"] is True and "error" not in case
    assert compiled.matches(event_of(case)) is passes

"""Lines of the log: a constant message and its facts, as text and as JSON."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from hearth.observability.logs import JsonFormatter, TextFormatter


def a_record(message: str = "route published", *, error: bool = False, **facts: Any) -> Any:
    info = None
    if error:
        try:
            raise ValueError("broken")
        except ValueError:
            info = sys.exc_info()
    logger = logging.getLogger("activator")
    return logger.makeRecord(
        "activator", logging.WARNING, __file__, 1, message, (), info, extra=facts
    )


def test_a_text_line_ends_with_the_facts() -> None:
    line = TextFormatter().format(a_record(routes=3, host="a.test"))
    assert line.endswith(" WARNING activator  route published  routes=3  host=a.test")


def test_a_json_line_has_the_facts_beside_the_message() -> None:
    record = a_record(routes=3)
    record.created = 1795192801.5
    entry = json.loads(JsonFormatter().format(record))
    assert entry == {
        "ts": "2026-11-20T16:40:01.500000Z",
        "level": "warning",
        "logger": "activator",
        "message": "route published",
        "routes": 3,
    }


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x"], ids=["object", "set", "bytes"])
def test_a_fact_that_json_does_not_know_is_shown_as_text(value: object) -> None:
    assert json.loads(JsonFormatter().format(a_record(fact=value)))["fact"] == str(value)


def test_an_exception_is_shown_with_its_traceback() -> None:
    record = a_record(error=True)
    first, *rest = TextFormatter().format(record).splitlines()
    assert first.endswith("route published")
    assert rest[-1] == "ValueError: broken"
    assert json.loads(JsonFormatter().format(record))["exception"].endswith("ValueError: broken")

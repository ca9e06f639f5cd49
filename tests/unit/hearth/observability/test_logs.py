"""Lines of the log: a constant message and its facts, as text and as JSON."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

import pytest

from hearth.observability.logs import JsonFormatter, TextFormatter, configure_logging, set_levels


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


@pytest.fixture
def loggers_as_before():
    root = logging.getLogger()
    names = ("activator", "eventing", "hearth", "serving")
    levels = {name: logging.getLogger(name).level for name in names}
    before = root.level, root.handlers[:]
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("DEBUG", ["ours: debug", "ours: info", "ours: error", "httpx: error"]),
        ("INFO", ["ours: info", "ours: error", "httpx: error"]),
        ("ERROR", ["ours: error", "httpx: error"]),
    ],
)
@pytest.mark.usefixtures("loggers_as_before")
def test_libraries_say_no_more_than_warnings(level: str, said: list[str]) -> None:
    """httpx tells of each request, with its URL, which may hold a key."""
    stream = io.StringIO()
    configure_logging(level=level, stream=stream)
    for name, logger in (("ours", "hearth.keda"), ("httpx", "httpx")):
        for each in ("debug", "info", "error"):
            getattr(logging.getLogger(logger), each)(f"{name}: {each}")
    lines = stream.getvalue().splitlines()
    assert [" ".join(line.split()[-2:]) for line in lines] == said


@pytest.mark.usefixtures("loggers_as_before")
def test_a_part_may_say_more_or_less_than_the_rest_and_stop_that() -> None:
    configure_logging(level="WARNING", stream=io.StringIO())
    set_levels({"activator": "DEBUG", "serving.kinds": "ERROR"})
    levels = [logging.getLogger(n).getEffectiveLevel() for n in ("activator.x", "serving.kinds.y")]
    assert levels == [logging.DEBUG, logging.ERROR]
    set_levels({"activator": "", "serving.kinds": ""})
    levels = [logging.getLogger(n).getEffectiveLevel() for n in ("activator.x", "serving.kinds.y")]
    assert levels == [logging.WARNING, logging.WARNING]

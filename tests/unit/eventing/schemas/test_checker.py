"""Data that does not satisfy a schema is refused with the place in it."""

import json
import time

import pytest

from eventing.schemas.checker import Schema, problem_of_schema
from eventing.schemas.work import SchemaError

ORDER = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "items": {"items": {"properties": {"name": {"pattern": "^(a+)+$"}}}},
    },
}
JSON = "application/json"


def problem(data, schema=ORDER, content_type: str | None = JSON):
    return Schema(json.dumps(schema)).problem_of(data, content_type)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"id": 1}', ""),
        (b'{"id": "x"}', 'data.id: "x" is not of type "integer"'),
        (b"{}", 'data: "id" is a required property'),
        (b'{"id": 1, "items": [{}, {"name": "b"}]}', 'data.items[1].name: "b" does not match'),
        (b"", "the event has no data"),
        (b"{", "the data is no JSON"),
    ],
)
def test_the_place_is_named(data, found):
    assert problem(data).startswith(found)
    assert bool(problem(data)) == bool(found)


def test_only_json_satisfies_a_schema():
    assert problem(b'{"id": 1}', content_type="application/vnd.x+json") == ""
    assert problem(b'{"id": 1}', content_type=None) == ""
    assert problem(b'{"id": 1}', content_type="text/plain") == "data of type text/plain is no JSON"


def test_a_pattern_takes_no_more_time_than_its_text():
    started = time.process_time()
    assert problem(json.dumps({"id": 1, "items": [{"name": "a" * 50_000 + "b"}]}).encode())
    assert time.process_time() - started < 5  # by backtracking it would never end


def test_data_that_would_take_long_is_refused_unread():
    heavy: dict[str, object] = {"allOf": [{}] * 1000}
    assert problem(b"[" + b"1," * 60_000 + b"1]", heavy).endswith("too many for this schema")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{}", ""),
        (json.dumps(ORDER), ""),
        ("{", "the schema is no JSON"),
        ("[" * 100_000, "the schema is no JSON"),
        ('{"type": "nothing"}', '"nothing" is not valid'),
        ('{"pattern": "("}', '"(" is not a "regex"'),
        ('{"$ref": "http://127.0.0.1:1/"}', "#/$ref: only parts of the schema itself"),
        ('{"$ref": "#"}', "#: more than 2000 parts"),
        ('{"a": "' + "x" * 200_000 + '"}', "schemas of more than 200000 characters"),
    ],
)
def test_what_is_wrong_with_a_schema(text, found):
    assert problem_of_schema(text).startswith(found)
    assert bool(problem_of_schema(text)) == bool(found)


def test_a_schema_of_another_dialect_than_we_know_is_not_fetched():
    with pytest.raises(SchemaError):
        Schema('{"$schema": "http://127.0.0.1:1/dialect"}')

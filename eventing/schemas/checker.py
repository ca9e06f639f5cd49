"""Whether data satisfies a JSON Schema, by ``jsonschema-rs``: imported by who has a schema.

It takes some 8 MB, and 10 more for the first schema; to check an event of 1 KB some 5 us.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from eventing.codec.event import is_json
from eventing.schemas.work import SchemaError, work_of

NOT_INSTALLED = (
    "JSON Schema is not installed here: pip install 'hearth-serving[schema]' where the broker runs"
)
_LONGEST = 200_000
_MOST = 100_000_000
"""Bytes of data times the work of a schema for one value: about a second at most."""
_SHOWN = 300


class Schema:
    """A schema made ready. Raises SchemaError for one that is none, or is too much work."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise SchemaError(f"schemas of more than {_LONGEST} characters are refused")
        try:
            given = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SchemaError(f"the schema is no JSON: {error}") from error
        self._work = work_of(given)
        try:
            import jsonschema_rs as library
        except ImportError as error:
            raise SchemaError(NOT_INSTALLED) from error
        try:
            # Patterns in linear time; nothing is fetched.
            self._validator: Any = library.validator_for(
                given, pattern_options=library.RegexOptions(), offline=True
            )
        except ValueError as error:  # the base of the library's own
            raise SchemaError(str(error).partition("\n")[0]) from error

    def problem_of(self, data: bytes, content_type: str | None) -> str:
        """Return what is wrong with an event's data, and where; nothing if nothing is."""
        if not data:
            return "the event has no data"
        if not is_json(content_type):
            return f"data of type {content_type} is no JSON"
        if len(data) * self._work > _MOST:
            return f"{len(data)} bytes of data are too many for this schema"
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            return f"the data is no JSON: {error}"
        if self._validator.is_valid(value):
            return ""
        first = next(iter(self._validator.iter_errors(value)))
        return f"{_path(first.instance_path)}: {_shortened(first.message)}"


def _path(steps: list[str | int]) -> str:
    return "data" + "".join(
        f"[{step}]" if isinstance(step, int) else f".{_shortened(step)}" for step in steps
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def problem_of_schema(text: str) -> str:
    """Return what is wrong with a schema; nothing where that cannot be told here."""
    try:
        Schema(text)
    except SchemaError as error:
        return "" if str(error) == NOT_INSTALLED else str(error)
    return ""

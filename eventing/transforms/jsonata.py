"""JSONata, by ``jsonata-python``: an optional dependency, imported by who has an expression.

It takes some 11 MB and 80 ms to import; an expression of a few lines some 100 us to evaluate.
"""

from __future__ import annotations

from typing import Any

_MILLISECONDS = 1000
"""An expression may run so long for one event."""
_DEPTH = 200
"""Calls within each other; Python's own stack ends later."""
_LONGEST = 100_000

NOT_INSTALLED = (
    "JSONata is not installed here: pip install 'hearth-serving[transform]' where the broker runs"
)


class TransformError(Exception):
    """An expression that cannot be read, or gives nothing for a value."""


class Expression:
    """A compiled expression; to be used by one thread at a time. Raises TransformError."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise TransformError(f"expressions of more than {_LONGEST} characters are refused")
        try:
            from jsonata import Jsonata
        except ImportError as error:
            raise TransformError(NOT_INSTALLED) from error
        try:
            self._compiled = Jsonata(text)
        except RecursionError as error:
            raise TransformError("the expression is nested too deeply") from error
        except Exception as error:  # of the library; it has no base that says so
            raise TransformError(str(error)) from error

    def evaluate(self, value: Any) -> Any:
        """Return what the expression makes of a JSON value."""
        try:
            frame = self._compiled.create_frame()
            frame.set_runtime_bounds(_MILLISECONDS, _DEPTH)
            result = self._compiled.evaluate(value, frame)
        except RecursionError as error:
            raise TransformError("the expression calls itself too often") from error
        except Exception as error:
            raise TransformError(str(error)) from error
        if result is None:
            raise TransformError("the expression gives nothing for this event")
        return _plain(result)


def _plain(value: Any) -> Any:
    """Numbers as JavaScript writes them: whole ones without a fraction."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def content_type_of(result: Any) -> str:
    """Return the content type of a result: its own word, an event's, else JSON's."""
    if not isinstance(result, dict):
        return "application/json"
    if result.get("contenttype"):
        return str(result["contenttype"])
    return "application/cloudevents+json" if "specversion" in result else "application/json"


def problem_of(text: str) -> str:
    """Return what is wrong with an expression; nothing where it can be evaluated."""
    try:
        Expression(text)
    except TransformError as error:
        return str(error)
    return ""

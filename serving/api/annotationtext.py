"""Annotations of ours whose value is JSON or YAML: read within bounds, faults with a path. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

LONGEST_TEXT = 16 * 1024


class TextError(ValueError):
    """What is wrong, with the path of the field and its value."""

    def __init__(self, message: str, path: str = "", value: object = None) -> None:
        super().__init__(message)
        self.path = path
        self.value = value if isinstance(value, (str, int, float)) else type(value).__name__


def loaded(text: str) -> Any:
    """Return what a text says; raises TextError."""
    if len(text) > LONGEST_TEXT:
        raise TextError(f"it is longer than {LONGEST_TEXT} characters", value=len(text))
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    import yaml  # only where it is needed: the gateway reads annotations, too

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = getattr(error, "problem", None) or type(error).__name__
        raise TextError(f"it is neither JSON nor YAML: {problem}", value=text[:100]) from None


def fields_of(entry: Any, names: Iterable[str], path: str, what: str) -> Mapping[str, Any]:
    """Return an entry whose fields are among these names; raises TextError."""
    listed = ", ".join(names)
    if not isinstance(entry, dict):
        raise TextError(f"expected {what}: {listed}", path, entry)
    for name in entry:
        if name not in names:
            raise TextError(f"expected one of {listed}", f"{path}.{name}", name)
    return entry


def parse_switch(text: str) -> bool:
    """Read an annotation that says yes or no; raises ValueError."""
    if text in ("true", "false"):
        return text == "true"
    raise ValueError("expected true or false")

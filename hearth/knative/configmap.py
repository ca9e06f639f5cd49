"""Reads the values of a ConfigMap, with the complaints of knative.dev/pkg/configmap. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import yaml

from hearth.kube.durations import parse_go_duration
from hearth.kube.gotext import format_float, parse_bool, parse_finite, parse_int, quote
from hearth.kube.quantity import canonical

T = TypeVar("T")

EXAMPLE = "_example"


class Reader:
    """Values of one ConfigMap's data; each method takes the keys, oldest spelling first."""

    def __init__(self, data: Mapping[str, str]) -> None:
        self._data = data

    def read(self, keys: tuple[str, ...], default: T, parse: Callable[[str], T]) -> T:
        """The value under the last of the keys that is there; a bad one is named."""
        value = default
        for key in keys:
            if key in self._data:
                try:
                    value = parse(self._data[key])
                except ValueError as error:
                    raise ValueError(f"failed to parse {quote(key)}: {error}") from None
        return value

    def text(self, *keys: str, default: str = "") -> str:
        """The text without surrounding space."""
        return self.read(keys, default, str.strip)

    def boolean(self, *keys: str, default: bool) -> bool:
        """A boolean as Go reads it."""
        return self.read(keys, default, parse_bool)

    def number(self, *keys: str, default: float) -> float:
        """A finite number; Knative takes NaN and infinities, and then computes with them."""
        return self.read(keys, default, parse_finite)

    def integer(self, *keys: str, default: int, bits: int = 64) -> int:
        """A decimal integer of that many bits."""
        return self.read(keys, default, lambda text: parse_int(text, bits))

    def seconds(self, *keys: str, default: float) -> float:
        """A Go duration, in seconds."""
        return self.read(keys, default, parse_go_duration)

    def quantity(self, *keys: str, default: str | None = None) -> str | None:
        """A Kubernetes quantity in its canonical form."""
        return self.read(keys, default, canonical)

    def names(self, *keys: str, default: frozenset[str]) -> frozenset[str]:
        """A comma-separated set."""
        return self.read(keys, default, _split)

    def choice(self, *keys: str, default: str, of: tuple[str, ...]) -> str:
        """One of the words, whatever its case; any other word leaves the default."""
        by_case = {word.lower(): word for word in of}
        return self.read(keys, default, lambda text: by_case.get(text.lower(), default))


def _split(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(","))


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str) -> Any:
    """Read YAML inside a value; raises ValueError in the words of sigs.k8s.io/yaml."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        marks = (error.context_mark, error.problem_mark)
        line = next((mark.line for mark in marks if mark is not None and mark.line), 0)
        if line and isinstance(error, yaml.scanner.ScannerError):
            line += 1
        where = f"line {line}: " if line else ""
        raise ValueError(f"error converting YAML to JSON: yaml: {where}{error.problem}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"error converting YAML to JSON: yaml: {error}") from None
    except RecursionError:
        raise ValueError("error converting YAML to JSON: yaml: exceeded max depth") from None


def with_texts(value: Any) -> Any:
    """Read a map of texts as sigs.k8s.io/yaml: plain numbers and booleans are texts too."""
    if not isinstance(value, Mapping):
        return value
    return {name: _scalar_text(member) for name, member in value.items()}


def _scalar_text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format_float(value)
    return str(value) if isinstance(value, int) else value


def whole_seconds(seconds: float) -> bool:
    """Whether a duration has no fraction of a second."""
    return seconds == round(seconds)

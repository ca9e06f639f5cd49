"""YAML request bodies as plain values, within bounds.

Pure; called by ``decode`` and by server-side apply.

A short document can stand for an enormous one (aliases of aliases) and a deep one would exhaust
the stack of the parser, which is written in C. Both are refused before they cost anything.
"""

from __future__ import annotations

from typing import Any

import yaml

MAX_DEPTH = 250
"""Levels of nesting in any body: the encoder of stored objects goes to 254."""
MAX_EXPANDED = 6 * 1024 * 1024
"""Characters that a document may come to with its aliases written out: twice the longest body."""
_MAX_ENTRIES = MAX_EXPANDED // 4  # of all mappings together: one takes two characters at least


class YamlError(ValueError):
    """The body is not YAML, or more than a request may ask for."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes reads it: timestamps stay text. Depth and merges are bounded."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self._depth = 0
        self._merged = 0
        self.repeated: list[tuple[int, str]] = []

    def descend_resolver(self, parent: Any, index: Any) -> None:
        """Called by the composer for each node before it looks into it."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise YamlError("yaml: exceeded max depth")
        super().descend_resolver(parent, index)

    def ascend_resolver(self) -> None:
        self._depth -= 1
        super().ascend_resolver()

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Notes keys that come twice: the last one counts, and strict clients are told."""
        seen = set[str]()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                continue
            if key.value in seen:
                self.repeated.append((value.start_mark.line + 1, key.value))
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def flatten_mapping(self, node: Any) -> None:
        """Writes out ``<<``. Counted at each visit: merges of merges multiply."""
        super().flatten_mapping(node)
        self._merged += len(node.value)
        if self._merged > _MAX_ENTRIES:
            raise YamlError("yaml: document contains excessive aliasing")


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_yaml(text: bytes) -> Any:
    """The value of a YAML (or JSON) document, with text keys as JSON has them."""
    return load_yaml_strict(text)[0]


REPEATED = "yaml: unmarshal errors:\n"


def load_yaml_strict(text: bytes) -> tuple[Any, str]:
    """The value, and what a strict reader says of keys that come twice; empty for nothing."""
    value, repeated = _load(text)
    lines = [f'  line {line}: key "{key}" already set in map' for line, key in sorted(repeated)]
    return value, REPEATED + "\n".join(lines) if lines else ""


def warnings_of(complaint: str) -> list[str]:
    """A strict reader's complaint as warnings, one for each key."""
    _, separator, lines = complaint.partition(REPEATED)
    return [line.strip() for line in lines.split("\n")] if separator else [complaint]


def _load(text: bytes) -> tuple[Any, list[tuple[int, str]]]:
    try:
        loader = _Loader(text)
        try:
            return _Plain().value(loader.get_single_data()), loader.repeated
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise YamlError(_problem(error)) from None
    except RecursionError:
        raise YamlError("yaml: exceeded max depth") from None
    except YamlError:
        raise
    except ValueError as error:
        raise YamlError(str(error)) from None


def _problem(error: yaml.YAMLError) -> str:
    """Go's parser counts lines from 1 where it splits text, from 0 where it joins the parts."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"yaml: {error}"
    line = error.problem_mark.line
    if line and isinstance(error, yaml.scanner.ScannerError):
        line += 1
    elif not line and error.context_mark is not None:
        line = error.context_mark.line
    return f"yaml: line {line}: {error.problem}" if line else f"yaml: {error.problem}"


class _Plain:
    """Copies what YAML gave, aliases written out, and counts what that comes to."""

    def __init__(self) -> None:
        self._size = 0

    def value(self, given: Any, depth: int = 1) -> Any:
        self._count(given, depth)
        if isinstance(given, dict):
            return {self._key(key): self.value(item, depth + 1) for key, item in given.items()}
        if isinstance(given, (list, set)):
            return [self.value(item, depth + 1) for item in given]
        if isinstance(given, bytes):
            return given.decode("utf-8", "replace")
        return given

    def _key(self, key: Any) -> str:
        self._count(key, 0)
        if isinstance(key, bool):
            return "true" if key else "false"
        return str(key)

    def _count(self, given: Any, depth: int) -> None:
        self._size += 1 + (len(given) if isinstance(given, (str, bytes)) else 0)
        if self._size > MAX_EXPANDED:
            raise YamlError("yaml: document contains excessive aliasing")
        if depth > MAX_DEPTH:
            raise YamlError("yaml: exceeded max depth")

"""YAML request bodies as plain values, within bounds. Pure; called by ``decode`` and server-side
apply.

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

    def descend_resolver(self, parent: Any, index: Any) -> None:
        """Called by the composer for each node before it looks into it."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise YamlError("yaml: exceeded max depth")
        super().descend_resolver(parent, index)

    def ascend_resolver(self) -> None:
        self._depth -= 1
        super().ascend_resolver()

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
    try:
        return _Plain().value(yaml.load(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise YamlError(_problem(error)) from None
    except RecursionError:
        raise YamlError("yaml: exceeded max depth") from None
    except YamlError:
        raise
    except ValueError as error:
        raise YamlError(str(error)) from None


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"yaml: line {error.problem_mark.line + 1}: {error.problem}"
    return f"yaml: {error}"


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

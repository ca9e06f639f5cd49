"""YAML request bodies as plain values, within bounds.

Pure; called by ``decode`` and by server-side apply.

A short document can stand for an enormous one (aliases of aliases) and a deep one would exhaust
the stack of the parser, which is written in C. Both are refused before they cost anything.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import yaml

MAX_DEPTH = 250
"""Levels of nesting in any body: the encoder of stored objects goes to 254."""
MAX_EXPANDED = 6 * 1024 * 1024
"""Characters that a document may come to with its aliases written out: twice the longest body."""
_FREE, _FEW_NODES, _MANY_NODES = 1000, 400_000, 4_000_000
_ALIASING = "yaml: document contains excessive aliasing"
_DEPTH = "yaml: exceeded max depth"
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
            raise YamlError(_DEPTH)
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
            raise YamlError(_ALIASING)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


REPEATED = "yaml: unmarshal errors:\n"


def load_yaml(text: bytes) -> tuple[Any, str]:
    """The value, with text keys as JSON has them, and the complaint of a strict reader.

    The complaint is about keys that come twice, and empty where none does; ``YamlError`` is raised
    for what no reader takes.
    """
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
            value = loader.get_single_data()
            if b"&" in text:  # without anchors a value is no larger than its text
                _Measure().check(value)
            return _plain(value), loader.repeated
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise YamlError(_problem(error)) from None
    except RecursionError:
        raise YamlError(_DEPTH) from None
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


class _Size(NamedTuple):
    """What a value comes to with its aliases written out."""

    nodes: int = 1
    characters: int = 1
    height: int = 1


_UNKNOWN = _Size(0, 0, 0)


def _allowed_share(nodes: int) -> float:
    """The share of nodes that may come of aliases: the less, the more there are (yaml.v2)."""
    if nodes <= _FEW_NODES:
        return 0.99
    return 0.99 - 0.89 * min(1.0, (nodes - _FEW_NODES) / (_MANY_NODES - _FEW_NODES))


class _Measure:
    """Sizes of values, each container looked into once however many aliases name it."""

    def __init__(self) -> None:
        self._sizes: dict[int, _Size | None] = {}  # by identity; None: not measured to its end
        self._seen = 0

    def check(self, value: Any) -> None:
        """Raises ``YamlError`` for what must not be written out."""
        size = self._of(value)
        aliased = size.nodes - self._seen
        if size.nodes > _FREE and aliased > _allowed_share(size.nodes) * size.nodes:
            raise YamlError(_ALIASING)

    def _of(self, value: Any) -> _Size:
        if not isinstance(value, (dict, list, set)):
            self._seen += 1
            return _Size(characters=1 + (len(value) if isinstance(value, (str, bytes)) else 0))
        known = self._sizes.get(id(value), _UNKNOWN)
        if known is None:  # it is inside of itself
            raise YamlError(_DEPTH)
        if known is not _UNKNOWN:  # an alias: a node for itself, and what it stands for
            self._seen += 1
            return known._replace(nodes=known.nodes + 1)
        self._sizes[id(value)] = None
        self._seen += 1
        inside = itertools.chain(value, value.values()) if isinstance(value, dict) else value
        nodes = characters = 1
        height = 0
        for item in inside:
            size = self._of(item)
            nodes, characters = nodes + size.nodes, characters + size.characters
            height = max(height, size.height)
            if characters > MAX_EXPANDED:
                raise YamlError(_ALIASING)
        if height >= MAX_DEPTH:
            raise YamlError(_DEPTH)
        measured = self._sizes[id(value)] = _Size(nodes, characters, height + 1)
        return measured


def _plain(given: Any) -> Any:
    """A copy of what YAML gave as JSON has it, aliases written out."""
    if isinstance(given, dict):
        return {_key(key): _plain(item) for key, item in given.items()}
    if isinstance(given, (list, set)):
        return [_plain(item) for item in given]
    if isinstance(given, bytes):
        return given.decode("utf-8", "replace")
    return given


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)

"""What a template is made of, and the values that it is filled with. Pure.

``at`` is the place in the text, in letters. A node's text is what Go prints of it in errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class TemplateError(ValueError):
    """A template that cannot be parsed or executed."""


@dataclass(frozen=True, slots=True)
class Struct:
    """Data with named fields and a Go type name, which error messages quote."""

    type_name: str
    fields: Mapping[str, Any]
    """A field that can be called is a method."""
    items: Mapping[str, Any] | None = None
    """Of a map with methods: what ``index`` finds and ``len`` counts."""
    text: str | None = None
    """What is printed of it, where Go's type has a String method."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number or boolean; nil."""

    value: Any
    at: int
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Function:
    """A function's name, where a value or a call stands."""

    name: str
    at: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Chain:
    """Fields of the dot (``start`` is None), of a variable, or of a pipeline in parentheses."""

    start: str | Pipe | None
    path: tuple[str, ...]
    at: int

    def __str__(self) -> str:
        start = f"({self.start})" if isinstance(self.start, Pipe) else self.start or ""
        fields = "".join(f".{name}" for name in self.path)
        return f"{start}{fields}" or "."

    @property
    def is_dot(self) -> bool:
        """Whether it is the dot alone."""
        return self.start is None and not self.path


@dataclass(frozen=True, slots=True)
class Command:
    """A function or a value, with arguments."""

    operands: tuple[Any, ...]
    at: int

    def __str__(self) -> str:
        texts = (f"({each})" if isinstance(each, Pipe) else str(each) for each in self.operands)
        return " ".join(texts)


@dataclass(frozen=True, slots=True)
class Pipe:
    """Commands, each with the result of the one before; variables take the last."""

    commands: tuple[Command, ...]
    at: int
    variables: tuple[str, ...] = ()
    assigns: bool = False

    def __str__(self) -> str:
        names = ", ".join(self.variables)
        head = f"{names} {'=' if self.assigns else ':='} " if names else ""
        return head + " | ".join(map(str, self.commands))


Nodes = Sequence[Any]
"""Texts (str), pipelines, branches, includes and jumps, in their order."""


@dataclass(frozen=True, slots=True)
class Branch:
    """``if``, ``with`` or ``range``."""

    keyword: str
    pipe: Pipe
    then: Nodes
    otherwise: Nodes


@dataclass(frozen=True, slots=True)
class Include:
    """``template``, or the place of a ``block``."""

    name: str
    pipe: Pipe | None
    at: int

    def __str__(self) -> str:
        pipe = f" {self.pipe}" if self.pipe else ""
        return f'{{{{template "{self.name}"{pipe}}}}}'


@dataclass(frozen=True, slots=True)
class Jump:
    """``break`` or ``continue``."""

    keyword: str

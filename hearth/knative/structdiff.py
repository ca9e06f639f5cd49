"""What changed between two models, as knative.dev/pkg/kmp reports it.

Each change is a path in Go's terms and the old and new value, in the order of the fields::

    *{*v1.RevisionTemplateSpec}.Spec.TimeoutSeconds:
            -: "300"
            +: "7"
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from hearth.kube.models import Model, go_type, strip

_ACRONYMS = {"api", "csi", "dns", "fs", "grpc", "http", "ip", "se", "tcp", "tls", "url"}
_ABSENT = object()


def short_diff(old: Model, new: Model, root: str) -> str:
    """Return the changes as text; empty when there are none. ``root`` is the type's name in Go."""
    changes: list[str] = []
    _struct(old, new, f"{{{root}}}", changes)
    return "".join(changes)


def _struct(old: Model, new: Model, path: str, changes: list[str]) -> None:
    model = type(old)
    for name, info in model.model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        alias = info.alias or name
        step = f"{path}{_embedding(model, name)}.{_go_name(alias)}"
        pointer = info.default is None and not isinstance(before, list | dict)
        _value(before, after, step, changes=changes, pointer=pointer, annotation=info.annotation)


def _value(
    before: Any,
    after: Any,
    path: str,
    *,
    changes: list[str],
    pointer: bool = False,
    annotation: Any = None,
) -> None:
    if before == after:
        return
    if isinstance(before, Model) and isinstance(after, Model):
        _struct(before, after, path, changes)
    elif isinstance(before, dict | list) and not (before and after):
        # No slice is another thing than a slice without members.
        _report(before, after, path, changes=changes)
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            step = f'{path}["{key}"]'
            _value(before.get(key, _ABSENT), after.get(key, _ABSENT), step, changes=changes)
    elif isinstance(before, list) and isinstance(after, list):
        _list(before, after, path, changes)
    else:
        scalars = not isinstance(before, Model) and not isinstance(after, Model)
        shown = f"*{path}" if pointer and scalars and None not in (before, after) else path
        _report(before, after, shown, changes=changes, annotation=annotation)


def _list(before: Sequence[Any], after: Sequence[Any], path: str, changes: list[str]) -> None:
    if len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            _value(one, other, f"{path}[{index}]", changes=changes)
        return
    texts = [repr(item) for item in before], [repr(item) for item in after]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for index in range(i1, i2):
            _report(before[index], _ABSENT, f"{path}[{index}->?]", changes=changes)
        for index in range(j1, j2):
            _report(_ABSENT, after[index], f"{path}[?->{index}]", changes=changes)


def _report(
    before: Any, after: Any, path: str, *, changes: list[str], annotation: Any = None
) -> None:
    lines = [f"{path}:\n"]
    for sign, value in (("-", before), ("+", after)):
        if value is not _ABSENT:
            kind = f"{go_type(type(value))}: " if isinstance(value, Model) else ""
            pointer = annotation is not None and strip(annotation)[2]
            text = f"&{_text(value)}" if pointer and isinstance(value, Model) else _text(value)
            lines.append(f'\t{sign}: {"" if pointer else kind}"{text}"\n')
    changes.append("".join(lines))


def _text(value: Any) -> str:
    """Return a value as ``%+v`` prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Model):
        members = (
            f"{_go_name(info.alias or name)}:{_text(getattr(value, name))}"
            for name, info in type(value).model_fields.items()
        )
        return f"{{{' '.join(members)}}}"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_text, value))}]"
    return str(value)


def _embedding(model: type[Model], name: str) -> str:
    """``.PodSpec`` for a field that another struct brings in."""
    for base in reversed(model.__mro__):
        if issubclass(base, Model) and name in inspect.get_annotations(base):
            same = base is model or go_type(base) == go_type(model)
            return "" if same else f".{base.__name__}"
    return ""


def _go_name(alias: str) -> str:
    if alias == "metadata":
        return "ObjectMeta"
    head = next((i for i, c in enumerate(alias) if c.isupper()), len(alias))
    word = alias[:head]
    return (word.upper() if word in _ACRONYMS else word[:1].upper() + word[1:]) + alias[head:]

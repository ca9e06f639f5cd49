"""Which events a pattern is for: ``SOURCE:TYPE``, ``TYPE``, and globs of other attributes. Pure.

As in Brigade, an event has a source and a type. A side is matched as it stands, ``*`` and ``?`` in
it being any characters. A type is also matched by how it ends after a dot, a source also by a word
of it or of the type before its end: ``github:push`` is for ``dev.knative.source.github.push``.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD = re.compile(r"[A-Za-z0-9_-]+")
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,20}")
_MOST = 256


def split(pattern: str) -> tuple[str, str]:
    """Return the sides of a pattern, source ``*`` where it names none; raise ValueError.

    The first colon that begins no ``://`` is what parts them.
    """
    found = re.match(r"(?s)(.*?):(?!//)(.*)", pattern)
    source, kind = found.groups() if found else ("*", pattern)
    if not source.strip() or not kind.strip() or len(pattern) > _MOST:
        raise ValueError(f"{pattern[:_MOST]!r} is no SOURCE:TYPE, such as github:push or *:push")
    return source.strip(), kind.strip()


def check(pattern: str, attributes: Mapping[str, str]) -> None:
    """Raise ValueError where this can match nothing."""
    split(pattern)
    for name in attributes:
        if not _ATTRIBUTE.fullmatch(name):
            raise ValueError(
                f"{name!r} is no attribute of a CloudEvent: lower-case letters and digits"
            )


def matches(pattern: str, attributes: Mapping[str, str], event: Mapping[str, object]) -> bool:
    """Whether an event, its attributes given, is one that a pattern is for."""
    source, kind = split(pattern)
    its_source, its_kind = str(event.get("source", "")), str(event.get("type", ""))
    return (
        _is_type(kind, its_kind)
        and _is_source(source, its_source, its_kind)
        and all(
            name in event and globs(wanted, str(event[name])) for name, wanted in attributes.items()
        )
    )


def globs(pattern: str, text: str) -> bool:
    """Whether a text is what a pattern with ``*`` and ``?`` stands for."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def _is_type(wanted: str, kind: str) -> bool:
    return globs(wanted, kind) or globs(f"*.{wanted}", kind)


def _is_source(wanted: str, source: str, kind: str) -> bool:
    if globs(wanted, source):
        return True
    words = _WORD.findall(source) + kind.split(".")[:-1]
    return _WORD.fullmatch(wanted) is not None and wanted in words


def expression(pattern: str, attributes: Mapping[str, str]) -> str:
    """Return CESQL that holds of at least the events that a pattern is for."""
    source, kind = split(pattern)
    ends = f"type LIKE {_like(kind)} OR type LIKE {_like(f'*.{kind}')}"
    terms = [] if kind == "*" else [f"({ends})"]
    if source != "*":
        inside = f"*{source}*" if _WORD.fullmatch(source) else source
        terms.append(f"(source LIKE {_like(inside)} OR type LIKE {_like(inside)})")
    terms += [f"{name} LIKE {_like(wanted)}" for name, wanted in sorted(attributes.items())]
    return " AND ".join(terms) or "TRUE"


def _like(pattern: str) -> str:
    """Backslashes and quotes would have to be escaped twice: any character may stand there."""
    escaped = {"%": "\\%", "_": "\\_", "*": "%", "?": "_", "\\": "_", "'": "_"}
    return "'" + "".join(escaped.get(each, each) for each in pattern) + "'"

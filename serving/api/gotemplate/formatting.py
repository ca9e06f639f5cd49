"""How Go prints values: fmt's Sprint, Sprintln and Sprintf, for the values of templates. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hearth.kube.gotext import format_float, quote
from serving.api.gotemplate.nodes import Struct

MAX_TEXT = 1_000_000
"""Letters of a text, and so the widest field and the longest precision, too (fmt)."""
_VERB = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<wide>\[\d+\])?(?P<width>\*|\d+)?"
    r"(?:\.(?P<precise>\[\d+\])?(?P<precision>\*|\d*))?(?P<index>\[\d+\])?(?P<verb>.?)",
    re.DOTALL,
)
_INTEGERS = {"d": "d", "b": "b", "o": "o", "x": "x", "X": "X"}


def type_name(value: Any) -> str:
    """Return the type that the value has in Go."""
    if isinstance(value, Struct):
        return value.type_name
    if isinstance(value, Mapping):
        return "map[string]string"
    if isinstance(value, list | tuple):
        return "[]string"
    names = {str: "string", bool: "bool", int: "int", float: "float64"}
    return names.get(type(value), "<nil>")


def shown(value: Any) -> str:
    """Return a value as ``%v`` prints it."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format_float(value)
    if isinstance(value, Struct):
        return _struct(value)
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{k}:{shown(v)}" for k, v in sorted(value.items())) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(shown, value)) + "]"
    return str(value)


def _struct(value: Struct) -> str:
    if value.text is not None:
        return value.text
    if value.items is not None:
        return shown(value.items)
    members = (v for v in value.fields.values() if not callable(v))
    return "{" + " ".join(map(shown, members)) + "}"


def sprint(values: tuple[Any, ...]) -> str:
    """Join values; with a space between two of which neither is a text."""
    if len(values) == 1:
        return shown(values[0])
    parts: list[str] = []
    length = 0
    for place, value in enumerate(values):
        if place and not isinstance(value, str) and not isinstance(values[place - 1], str):
            parts.append(" ")
        parts.append(bounded(shown(value), length))
        length += len(parts[-1])
    return "".join(parts)


def bounded(text: str, more: int = 0) -> str:
    """Return a text that is not too long with so many letters more; raises ValueError."""
    if len(text) + more > MAX_TEXT:
        raise ValueError(f"the text is longer than {MAX_TEXT} letters")
    return text


def sprintf(form: str, values: tuple[Any, ...]) -> str:
    """Fill a form; what does not fit is told in place, as Go does."""
    return _Printer(values).text(form)


class _Printer:
    def __init__(self, values: tuple[Any, ...]) -> None:
        self._values = values
        self._next = self._length = 0
        self._picks = False

    def text(self, form: str) -> str:
        filled = _VERB.sub(self._one, form)
        left = self._values[self._next :]
        if left and not self._picks:
            extra = ", ".join(
                f"{type_name(v)}={shown(v)}" if v is not None else "<nil>" for v in left
            )
            return f"{filled}%!(EXTRA {extra})"
        return filled

    def _pick(self, index: str | None) -> None:
        if index:
            self._picks, self._next = True, int(index[1:-1]) - 1

    def _size(self, given: str | None) -> int | None:
        if given != "*":
            return min(int(given), MAX_TEXT) if given else None
        if self._next >= len(self._values) or type(self._values[self._next]) is not int:
            return None
        self._next += 1
        return max(-MAX_TEXT, min(int(self._values[self._next - 1]), MAX_TEXT))

    def _one(self, match: re.Match[str]) -> str:
        flags, verb = match["flags"], match["verb"]
        self._pick(match["wide"])
        width = self._size(match["width"])
        self._pick(match["precise"])
        precision = self._size(match["precision"])
        if match["precision"] == "":
            precision = 0
        self._pick(match["index"])
        if verb == "%":
            return "%"
        if not verb:
            return "%!(NOVERB)"
        if not 0 <= self._next < len(self._values):
            return f"%!{verb}({'BADINDEX' if self._picks else 'MISSING'})"
        value = self._values[self._next]
        self._next += 1
        if width is not None and width < 0:
            flags, width = flags + "-", -width
        text = _padded(_format(value, verb, flags, precision), flags, width, value)
        self._length += len(bounded(text, self._length))
        return text


def _padded(text: str, flags: str, width: int | None, value: Any) -> str:
    if width is None:
        return text
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and isinstance(value, int | float):
        return text.zfill(width)
    return text.rjust(width, "0" if "0" in flags and isinstance(value, str) else " ")


def _format(value: Any, verb: str, flags: str, precision: int | None) -> str:
    bad = f"%!{verb}({'<nil>' if value is None else f'{type_name(value)}={shown(value)}'})"
    if verb == "T":
        return type_name(value)
    if isinstance(value, Struct | Mapping | list | tuple) or value is None:
        return shown(value) if (verb in "vs" and value is not None) or verb == "v" else bad
    if isinstance(value, bool):
        return shown(value) if verb in "vt" else bad
    if isinstance(value, str):
        return _of_text(value, verb, flags, precision) or ("" if verb in "vsxX" else bad)
    if isinstance(value, int):
        return _of_integer(value, verb, flags, precision) or bad
    return _of_float(value, verb, flags, precision) or bad


def _of_text(value: str, verb: str, flags: str, precision: int | None) -> str:
    cut = value if precision is None else value[:precision]
    if verb in "vs":
        return quote(value) if verb == "v" and "#" in flags else cut
    if verb == "q":
        return f"`{cut}`" if "#" in flags and "`" not in cut else quote(cut)
    if verb in "xX":
        digits = value.encode()[:precision].hex(" " if " " in flags else "\0").replace("\0", "")
        digits = ("0x" if "#" in flags else "") + digits
        return digits.upper() if verb == "X" else digits
    return ""


def _of_integer(value: int, verb: str, flags: str, precision: int | None) -> str:
    sign = "+" if "+" in flags else " " if " " in flags else ""
    if verb in "vd" or verb in _INTEGERS:
        digits = format(abs(value), _INTEGERS.get(verb, "d")).rjust(precision or 0, "0")
        if "#" in flags and verb in "xXob":
            digits = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}[verb] + digits
        return f"-{digits}" if value < 0 else sign + digits
    if verb == "c":
        return _letter(value)
    if verb == "q":
        letter = _letter(value)
        return f"'{letter}'" if letter.isprintable() and letter not in "'\\" else repr(letter)
    if verb == "U":
        return f"U+{value:04X}" + (f" '{_letter(value)}'" if "#" in flags else "")
    return ""


def _letter(value: int) -> str:
    return chr(value) if 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000 else "\ufffd"


def _of_float(value: float, verb: str, flags: str, precision: int | None) -> str:
    if verb not in "veEfFgG":
        return ""
    sign = "+" if "+" in flags else " " if " " in flags else ""
    if verb in "vgG" and precision is None:
        text = format_float(value)
        text = text.upper() if verb == "G" else text
    else:
        kind = {"v": "g", "F": "f"}.get(verb, verb)
        text = format(value, f".{6 if precision is None else precision}{kind}")
    return text if text.startswith("-") else sign + text

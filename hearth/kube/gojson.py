"""Why a text is not JSON, in the words of Go's ``encoding/json``. Pure.

Called only after a fast parser has refused the text, so speed does not matter here.
"""

from __future__ import annotations

import json
import re

END = "unexpected end of JSON input"
TOO_DEEP = "exceeded max depth"
_SPACE = b" \t\r\n"
_NUMBER = re.compile(rb"-?(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][-+]?[0-9]*)?")
_HEX = b"0123456789abcdefABCDEF"


class GoJsonError(ValueError):
    """The message of a Go JSON syntax error."""


def syntax_error(text: bytes) -> str:
    """The message for a text that is not JSON; empty when it is JSON after all."""
    try:
        index = _space(text, _value(text, _space(text, 0)))
        if index < len(text):
            raise _bad(text, index, "after top-level value")
    except GoJsonError as error:
        return str(error)
    except RecursionError:
        return TOO_DEEP
    return ""


def object_error(text: str, go_type: str) -> str:
    """The message for a text that is not to be read into a struct or map; empty where it is."""
    problem = syntax_error(text.encode("utf-8", "surrogatepass"))
    if problem:
        return problem
    value = json.loads(text)
    if value is None or isinstance(value, dict):
        return ""
    kinds = {str: "string", bool: "bool", list: "array"}
    kind = kinds.get(type(value), "number")
    return f"json: cannot unmarshal {kind} into Go value of type {go_type}"


def _bad(text: bytes, index: int, where: str) -> GoJsonError:
    if index >= len(text):
        return GoJsonError(END)
    return GoJsonError(f"invalid character {_quoted(text, index)} {where}")


def _quoted(text: bytes, index: int) -> str:
    byte = text[index : index + 1]
    if byte == b"'":
        return r"'\''"
    if byte == b'"':
        return "'\"'"
    for size in (1, 2, 3, 4):
        try:
            rune = text[index : index + size].decode()
        except UnicodeDecodeError:
            continue
        return "'" + _escaped(rune) + "'"
    return f"'\\x{text[index]:02x}'"


_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\", "\x00": r"\x00"}


def _escaped(rune: str) -> str:
    if rune in _ESCAPES:
        return _ESCAPES[rune]
    if rune.isprintable():
        return rune
    return f"\\x{ord(rune):02x}" if ord(rune) < 0x80 else f"\\u{ord(rune):04x}"


def _space(text: bytes, index: int) -> int:
    while index < len(text) and text[index] in _SPACE:
        index += 1
    return index


def _value(text: bytes, index: int) -> int:
    head = text[index : index + 1]
    if head == b"{":
        return _object(text, index + 1)
    if head == b"[":
        return _array(text, index + 1)
    if head == b'"':
        return _string(text, index + 1)
    for word in (b"true", b"false", b"null"):
        if head == word[:1]:
            return _literal(text, index, word)
    if head == b"-" or head.isdigit():
        return _number(text, index)
    raise _bad(text, index, "looking for beginning of value")


def _object(text: bytes, index: int) -> int:
    index = _space(text, index)
    if text[index : index + 1] == b"}":
        return index + 1
    while True:
        if text[index : index + 1] != b'"':
            raise _bad(text, index, "looking for beginning of object key string")
        index = _space(text, _string(text, index + 1))
        if text[index : index + 1] != b":":
            raise _bad(text, index, "after object key")
        index = _space(text, _value(text, _space(text, index + 1)))
        mark = text[index : index + 1]
        if mark == b"}":
            return index + 1
        if mark != b",":
            raise _bad(text, index, "after object key:value pair")
        index = _space(text, index + 1)


def _array(text: bytes, index: int) -> int:
    index = _space(text, index)
    if text[index : index + 1] == b"]":
        return index + 1
    while True:
        index = _space(text, _value(text, index))
        mark = text[index : index + 1]
        if mark == b"]":
            return index + 1
        if mark != b",":
            raise _bad(text, index, "after array element")
        index = _space(text, index + 1)


def _string(text: bytes, index: int) -> int:
    while index < len(text):
        byte = text[index]
        if byte == 0x22:
            return index + 1
        if byte < 0x20:
            raise _bad(text, index, "in string literal")
        index = _escape(text, index + 1) if byte == 0x5C else index + 1
    raise GoJsonError(END)


def _escape(text: bytes, index: int) -> int:
    mark = text[index : index + 1]
    if mark == b"u":
        for place in range(index + 1, index + 5):
            if text[place : place + 1] not in _HEX or place >= len(text):
                raise _bad(text, place, r"in \u hexadecimal character escape")
        return index + 5
    if not mark or mark not in b'bfnrt\\/"':
        raise _bad(text, index, "in string escape code")
    return index + 1


def _literal(text: bytes, index: int, word: bytes) -> int:
    for offset in range(1, len(word)):
        if text[index + offset : index + offset + 1] != word[offset : offset + 1]:
            expected = chr(word[offset])
            raise _bad(text, index + offset, f"in literal {word.decode()} (expecting '{expected}')")
    return index + len(word)


def _number(text: bytes, index: int) -> int:
    match = _NUMBER.match(text, index)
    assert match is not None  # the caller saw a digit or a minus sign
    if not match[1]:
        raise _bad(text, index + 1, "in numeric literal")
    if match[2] == b".":
        raise _bad(text, match.end(2), "after decimal point in numeric literal")
    if match[3] and not match[3][-1:].isdigit():
        raise _bad(text, match.end(3), "in exponent of numeric literal")
    return match.end()

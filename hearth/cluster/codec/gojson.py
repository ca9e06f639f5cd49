"""Why a text is not JSON, in the words of Go's ``encoding/json``. Pure.

Called only after a fast parser has refused the text, so speed does not matter here.
"""

from __future__ import annotations

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
        at = _space(text, _value(text, _space(text, 0)))
        if at < len(text):
            raise _bad(text, at, "after top-level value")
    except GoJsonError as error:
        return str(error)
    except RecursionError:
        return TOO_DEEP
    return ""


def _bad(text: bytes, at: int, where: str) -> GoJsonError:
    if at >= len(text):
        return GoJsonError(END)
    return GoJsonError(f"invalid character {_quoted(text, at)} {where}")


def _quoted(text: bytes, at: int) -> str:
    byte = text[at : at + 1]
    if byte == b"'":
        return r"'\''"
    if byte == b'"':
        return "'\"'"
    for size in (1, 2, 3, 4):
        try:
            rune = text[at : at + size].decode()
        except UnicodeDecodeError:
            continue
        return "'" + _escaped(rune) + "'"
    return f"'\\x{text[at]:02x}'"


_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\", "\x00": r"\x00"}


def _escaped(rune: str) -> str:
    if rune in _ESCAPES:
        return _ESCAPES[rune]
    if rune.isprintable():
        return rune
    return f"\\x{ord(rune):02x}" if ord(rune) < 0x80 else f"\\u{ord(rune):04x}"


def _space(text: bytes, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _value(text: bytes, at: int) -> int:
    head = text[at : at + 1]
    if head == b"{":
        return _object(text, at + 1)
    if head == b"[":
        return _array(text, at + 1)
    if head == b'"':
        return _string(text, at + 1)
    for word in (b"true", b"false", b"null"):
        if head == word[:1]:
            return _literal(text, at, word)
    if head == b"-" or head.isdigit():
        return _number(text, at)
    raise _bad(text, at, "looking for beginning of value")


def _object(text: bytes, at: int) -> int:
    at = _space(text, at)
    if text[at : at + 1] == b"}":
        return at + 1
    while True:
        if text[at : at + 1] != b'"':
            raise _bad(text, at, "looking for beginning of object key string")
        at = _space(text, _string(text, at + 1))
        if text[at : at + 1] != b":":
            raise _bad(text, at, "after object key")
        at = _space(text, _value(text, _space(text, at + 1)))
        mark = text[at : at + 1]
        if mark == b"}":
            return at + 1
        if mark != b",":
            raise _bad(text, at, "after object key:value pair")
        at = _space(text, at + 1)


def _array(text: bytes, at: int) -> int:
    at = _space(text, at)
    if text[at : at + 1] == b"]":
        return at + 1
    while True:
        at = _space(text, _value(text, at))
        mark = text[at : at + 1]
        if mark == b"]":
            return at + 1
        if mark != b",":
            raise _bad(text, at, "after array element")
        at = _space(text, at + 1)


def _string(text: bytes, at: int) -> int:
    while at < len(text):
        byte = text[at]
        if byte == 0x22:
            return at + 1
        if byte < 0x20:
            raise _bad(text, at, "in string literal")
        at = _escape(text, at + 1) if byte == 0x5C else at + 1
    raise GoJsonError(END)


def _escape(text: bytes, at: int) -> int:
    mark = text[at : at + 1]
    if mark == b"u":
        for place in range(at + 1, at + 5):
            if text[place : place + 1] not in _HEX or place >= len(text):
                raise _bad(text, place, r"in \u hexadecimal character escape")
        return at + 5
    if not mark or mark not in b'bfnrt\\/"':
        raise _bad(text, at, "in string escape code")
    return at + 1


def _literal(text: bytes, at: int, word: bytes) -> int:
    for offset in range(1, len(word)):
        if text[at + offset : at + offset + 1] != word[offset : offset + 1]:
            expected = chr(word[offset])
            raise _bad(text, at + offset, f"in literal {word.decode()} (expecting '{expected}')")
    return at + len(word)


def _number(text: bytes, at: int) -> int:
    found = _NUMBER.match(text, at)
    assert found is not None  # the caller saw a digit or a minus sign
    if not found[1]:
        raise _bad(text, at + 1, "in numeric literal")
    if found[2] == b".":
        raise _bad(text, found.end(2), "after decimal point in numeric literal")
    if found[3] and not found[3][-1:].isdigit():
        raise _bad(text, found.end(3), "in exponent of numeric literal")
    return found.end()

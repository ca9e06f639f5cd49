"""Which kinds operators take and give: expr-lang's ``checker``, for the kinds there are here."""

from __future__ import annotations

from hearth.formula.terms import (
    BOOL,
    FLOAT,
    INT,
    MAP,
    NIL,
    NUMBERS,
    STRING,
    UNKNOWN,
    is_array,
)

COMPARISONS = frozenset({"<", ">", "<=", ">="})
_TEXT = COMPARISONS | {"+"}


def _all_of(kinds: frozenset[str], *given: str) -> bool:
    return all(each in kinds or each == UNKNOWN for each in given)


def result(sign: str, left: str, right: str) -> str | None:
    """Return the kind of an operation's result; None where its operands do not go together."""
    if sign == "??":
        return _coalesced(left, right)
    if sign in ("==", "!="):
        return BOOL if comparable(left, right) else None
    if sign == "in":
        return _in(left, right)
    if sign in ("and", "&&", "or", "||"):
        return BOOL if _all_of(frozenset({BOOL}), left, right) else None
    if sign in ("contains", "startsWith", "endsWith"):
        return BOOL if _all_of(frozenset({STRING}), left, right) else None
    if sign in ("%", ".."):
        result = INT if sign == "%" else f"[]{INT}"
        return result if _all_of(frozenset({INT}), left, right) else None
    return _arithmetic(sign, left, right)


def _arithmetic(sign: str, left: str, right: str) -> str | None:
    if _all_of(NUMBERS, left, right):
        if sign in COMPARISONS:
            return BOOL
        if sign in ("/", "**", "^"):
            return FLOAT
        if UNKNOWN in (left, right):
            return UNKNOWN
        return INT if left == right == INT else FLOAT
    if sign in _TEXT and _all_of(frozenset({STRING}), left, right):
        return BOOL if sign in COMPARISONS else STRING
    return None


def comparable(left: str, right: str) -> bool:
    """Whether values of two kinds may be compared at all."""
    return (
        left == right
        or NIL in (left, right)
        or _all_of(NUMBERS, left, right)
        or UNKNOWN in (left, right)
        or (is_array(left) and is_array(right))
    )


def _coalesced(left: str, right: str) -> str:
    if left == NIL:
        return right
    return left if right in (left, NIL) else UNKNOWN


def _in(left: str, right: str) -> str | None:
    if right == MAP:
        return BOOL if left in (STRING, UNKNOWN) else None
    if is_array(right):
        return BOOL if comparable(left, right[2:]) else None
    return BOOL if right == UNKNOWN else None

"""Names: what may be one, with Kubernetes' messages, and random endings."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Letters and digits of generated names: no vowels, so that no words appear (apimachinery)."""

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS1123_LABEL = re.compile(f"^{_LABEL}$")
_DNS1123_SUBDOMAIN = re.compile(rf"^{_LABEL}(\.{_LABEL})*$")
_DNS1035_LABEL = re.compile("^[a-z]([-a-z0-9]*[a-z0-9])?$")


_REMEMBERED, _LONGEST = 4096, 256


def _remembered(problems: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Checks a name once: objects have the same few keys and values over and over."""
    is_fine = functools.lru_cache(_REMEMBERED)(lambda value: not problems(value))

    @functools.wraps(problems)
    def check(value: str) -> list[str]:
        return [] if len(value) <= _LONGEST and is_fine(value) else problems(value)

    return check


def random_suffix(numbers: list[int]) -> str:
    """Five characters of a generated name, from five random numbers >= 0."""
    return "".join(_SUFFIX_ALPHABET[n % len(_SUFFIX_ALPHABET)] for n in numbers)


@_remembered
def dns1123_label_problems(value: str) -> list[str]:
    """Return what is wrong with a DNS-1123 label, in Kubernetes' words; empty when nothing is."""
    problems = []
    if len(value) > 63:
        problems.append("must be no more than 63 characters")
    if _DNS1123_LABEL.match(value) and not value.endswith("\n"):
        return problems
    if _DNS1123_SUBDOMAIN.match(value) and not value.endswith("\n"):
        problems.append("must not contain dots")
    else:
        problems.append(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or "
            "'-', and must start and end with an alphanumeric character (e.g. 'my-name',  or "
            "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        )
    return problems


@_remembered
def dns1123_subdomain_problems(value: str) -> list[str]:
    """Return what is wrong with a DNS-1123 subdomain, in Kubernetes' words."""
    problems = []
    if len(value) > 253:
        problems.append("must be no more than 253 characters")
    if not _DNS1123_SUBDOMAIN.match(value) or value.endswith("\n"):
        problems.append(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
            "'-' or '.', and must start and end with an alphanumeric character (e.g. "
            "'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?"
            "(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        )
    return problems


def dns1035_label_problems(value: str) -> list[str]:
    """Return what is wrong with a DNS-1035 label, in Kubernetes' words."""
    problems = []
    if len(value) > 63:
        problems.append("must be no more than 63 characters")
    if not _DNS1035_LABEL.match(value) or value.endswith("\n"):
        problems.append(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start "
            "with an alphabetic character, and end with an alphanumeric character (e.g. "
            "'my-name',  or 'abc-123', regex used for validation is "
            "'[a-z]([-a-z0-9]*[a-z0-9])?')"
        )
    return problems


def regex_problem(text: str, pattern: str, *examples: str) -> str:
    """Return apimachinery's complaint about text that does not match a pattern."""
    if not examples:
        return f"{text} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{pattern}')"


_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_NAME_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character"
)
_NAME_PROBLEM = regex_problem(_NAME_TEXT, _NAME, "MyName", "my.name", "123-abc")


@_remembered
def qualified_name_problems(value: str) -> list[str]:
    """Return a label key: an optional DNS subdomain and ``/``, then a name."""
    parts = value.split("/")
    if len(parts) > 2:
        return [
            f"a valid label key {_NAME_PROBLEM} with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')"
        ]
    problems, name = [], parts[-1]
    if len(parts) == 2:
        prefix = ["must be non-empty"] if not parts[0] else _prefix_problems(parts[0])
        problems = [f"prefix part {problem}" for problem in prefix]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append(f"name part {_TOO_MANY_BYTES}")
    if not re.fullmatch(_NAME, name):
        problems.append(f"name part {_NAME_PROBLEM}")
    return problems


_TOO_MANY_BYTES = "must be no more than 63 bytes"
"""Newer checks of Kubernetes count bytes, older ones characters."""


def _prefix_problems(prefix: str) -> list[str]:
    problems = dns1123_subdomain_problems(prefix)
    return [text.replace("253 characters", "253 bytes") for text in problems]


@_remembered
def label_value_problems(value: str) -> list[str]:
    """Return what is wrong with the value of a label (apimachinery's rules)."""
    problems = [_TOO_MANY_BYTES] if len(value) > 63 else []
    if not re.fullmatch(f"({_NAME})?", value):
        text = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', "
            "'_' or '.', and must start and end with an alphanumeric character"
        )
        problems.append(regex_problem(text, f"({_NAME})?", "MyValue", "my_value", "12345"))
    return problems


_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_IDENTIFIER_TEXT = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of "
    "alphanumeric characters or '_'"
)


def c_identifier_problems(value: str) -> list[str]:
    """Return what keeps a text from being an identifier in C."""
    if re.fullmatch(_IDENTIFIER, value):
        return []
    return [regex_problem(_IDENTIFIER_TEXT, _IDENTIFIER, "my_name", "MY_NAME", "MyName")]

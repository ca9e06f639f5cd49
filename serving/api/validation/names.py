"""Name rules that only serving needs, with Kubernetes' messages."""

from __future__ import annotations

import re

from hearth.kube.gotext import quote
from hearth.kube.names import (
    dns1035_label_problems,
    dns1123_label_problems,
    dns1123_subdomain_problems,
)

_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
_C_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_QUALIFIED_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def qualified_name_problems(value: str) -> list[str]:
    """A name with an optional DNS prefix: ``example.com/MyName``."""
    prefix, slash, name = value.rpartition("/")
    if value.count("/") > 1:
        return [
            f"a qualified name {_QUALIFIED_RULE} with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')"
        ]
    problems: list[str] = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {problem}" for problem in dns1123_subdomain_problems(prefix)]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 characters")
    if not _QUALIFIED.match(name):
        problems.append(f"name part {_QUALIFIED_RULE}")
    return problems


def c_identifier_problems(value: str) -> list[str]:
    if _C_IDENTIFIER.match(value):
        return []
    return [
        "a valid C identifier must start with alphabetic character or '_', followed by a string "
        "of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex "
        "used for validation is '[A-Za-z_][A-Za-z0-9_]*')"
    ]


def domain_problem(value: str) -> str:
    """What is wrong with a fully qualified domain name; empty when nothing is."""
    if not value:
        return "name: Required value"
    name = value.removesuffix(".")
    problems = dns1123_subdomain_problems(name)
    at = name
    if not problems and "." not in name:
        problems = ["should be a domain with at least two segments separated by dots"]
    for label in name.split("."):
        if not problems:
            problems, at = dns1123_label_problems(label), label
    return f"name: Invalid value: {quote(at)}: {','.join(problems)}" if problems else ""


def generate_name_problems(value: str) -> list[str]:
    """A DNS-1035 label that may end in a dash, since more follows."""
    masked = value[:-2] + "a" if len(value) > 1 and value.endswith("-") else value
    return dns1035_label_problems(masked)

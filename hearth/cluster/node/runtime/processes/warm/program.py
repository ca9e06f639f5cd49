"""Which Python program a command line starts, and what a warm interpreter for it is told. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_PYTHON = re.compile(r"^python(3(\.\d+)?)?$")
_SWITCHES = re.compile(r"^-[bBdEIOPqsSuv]+$")
_WITH_VALUE = ("-X", "-W")
_AT_START = (
    *("PYTHON", "LC_", "LANG", "LD_", "TZ", "MALLOC_", "GLIBC_", "PATH", "HOME", "VIRTUAL_ENV"),
    *("SSL_", "OPENSSL_", "OMP_", "OPENBLAS_", "MKL_"),
)
"""Beginnings of variables that an interpreter or a common library reads as it starts."""
MOST_ENVIRONMENT = 64 * 1024
"""Bytes of a program's environment that a warm interpreter has room for."""


@dataclass(frozen=True, slots=True)
class Program:
    """An interpreter, its options, the variables it starts with, and what it runs.

    ``argv`` is a module after ``-m``, or a file, with arguments.
    """

    interpreter: str
    options: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    argv: tuple[str, ...]

    @property
    def target(self) -> tuple[str, ...]:
        """What it runs, without arguments."""
        return self.argv[: 2 if self.argv[0] == "-m" else 1]


def program_of(
    argv: Sequence[str], found: str, first_line: str, env: Mapping[str, str]
) -> Program | None:
    """Return the Python program of a command; None where it is none, or none that can be forked.

    ``found`` is the path of the command's program, ``first_line`` that of the file, which names an
    interpreter where it is a script.
    """
    words = argv[1:]
    if not _PYTHON.match(_name(found)):
        shebang = first_line[2:].split() if first_line.startswith("#!") else []
        if not shebang or not _PYTHON.match(_name(shebang[0])):
            return None
        found, words = shebang[0], (*shebang[1:], found, *words)
    count = _options(words)
    options, rest = tuple(words[:count]), tuple(words[count:])
    is_module = rest[:1] == ("-m",) and len(rest) > 1
    if not rest or (rest[0].startswith("-") and not is_module):
        return None
    if sum(len(name) + len(value) + 2 for name, value in env.items()) > MOST_ENVIRONMENT // 4:
        return None  # a character may take four bytes
    at_start = tuple(sorted((k, v) for k, v in env.items() if k.startswith(_AT_START)))
    return Program(found, options, at_start, rest)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _options(words: Sequence[str]) -> int:
    """How many of the words are options of the interpreter that do not end them."""
    count = 0
    while count < len(words):
        if words[count] in _WITH_VALUE:
            count += 2
        elif _SWITCHES.match(words[count]) or words[count].startswith(_WITH_VALUE):
            count += 1
        else:
            break
    return min(count, len(words))

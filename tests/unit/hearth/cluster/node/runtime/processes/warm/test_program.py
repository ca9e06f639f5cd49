"""Which commands start a Python program that can be forked, and what is told to its interpreter."""

from __future__ import annotations

import pytest

from hearth.cluster.node.runtime.processes.warm.program import (
    MOST_ENVIRONMENT,
    Program,
    program_of,
)

PYTHON = "/venv/bin/python"


def made(*argv: str, found: str = PYTHON, first_line: str = "", **env: str) -> Program | None:
    return program_of((found, *argv), found, first_line, env)


@pytest.mark.parametrize(
    ("argv", "options", "rest", "target"),
    [
        (("app.py", "-v"), (), ("app.py", "-v"), ("app.py",)),
        (("-m", "uvicorn", "a:b"), (), ("-m", "uvicorn", "a:b"), ("-m", "uvicorn")),
        (
            ("-uB", "-X", "dev", "-Wignore", "a.py"),
            ("-uB", "-X", "dev", "-Wignore"),
            ("a.py",),
            ("a.py",),
        ),
    ],
)
def test_modules_and_files(
    argv: tuple[str, ...],
    options: tuple[str, ...],
    rest: tuple[str, ...],
    target: tuple[str, ...],
) -> None:
    assert (program := made(*argv)) is not None
    assert (program.interpreter, program.options, program.argv) == (PYTHON, options, rest)
    assert program.target == target


@pytest.mark.parametrize("argv", [(), ("-c", "1"), ("-",), ("-i", "a.py"), ("-m",), ("-X",)])
def test_what_cannot_be_forked(argv: tuple[str, ...]) -> None:
    assert made(*argv) is None


@pytest.mark.parametrize("found", ["/usr/bin/node", "/bin/sh", "/venv/bin/pythonic", ""])
def test_other_programs(found: str) -> None:
    assert program_of(("x", "a.py"), found, "", {}) is None


def test_a_script_names_its_interpreter() -> None:
    program = made("a:b", found="/venv/bin/gunicorn", first_line=f"#!{PYTHON} -I")
    assert program is not None
    assert (program.interpreter, program.options) == (PYTHON, ("-I",))
    assert program.argv == ("/venv/bin/gunicorn", "a:b")
    assert made(found="/x", first_line="#!/bin/sh") is None
    assert made(found="/x", first_line="#!") is None


def test_an_interpreter_is_told_what_it_reads_as_it_starts_and_no_secret() -> None:
    program = made("a.py", PATH="/bin", PYTHONUTF8="1", TOKEN="secret", PORT="1", TZ="UTC")
    assert program is not None
    assert program.env == (("PATH", "/bin"), ("PYTHONUTF8", "1"), ("TZ", "UTC"))


def test_an_environment_has_to_have_room() -> None:
    assert made("a.py", LONG="x" * MOST_ENVIRONMENT) is None

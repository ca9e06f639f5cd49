"""What was found in a folder, and the words for what was not."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


class DetectionError(Exception):
    """Nothing in the folder can be run as it is; the text says what is missing and what to do."""


class Source(Protocol):
    """The files of a folder, by their paths from it with ``/`` between the parts."""

    @property
    def label(self) -> str:
        """What the user calls the folder."""

    @property
    def paths(self) -> Collection[str]:
        """The paths of all files that count."""

    def text(self, path: str) -> str:
        """What is in a file; DetectionError where it is no text."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What has to be installed before the application runs."""

    tool: str  # pip, uv, poetry, npm, pnpm, yarn
    file: str  # what names them
    added: tuple[str, ...] = ()  # packages that the command needs and the file does not name
    with_dev: bool = False  # those of development, too, by which it is built


@dataclass(frozen=True, slots=True)
class Application:
    """How a folder is run.

    ``command`` has ``python`` for the interpreter of the application's own environment, and words
    with ``$PORT`` in them: every pod is told its port. Where there is a ``runner``, a program of
    Hearth's (see ``hearth.functions.runners``), the command is its arguments.
    """

    kind: str  # procfile, function, python, node, go, rust, static, Dockerfile
    command: tuple[str, ...]
    runner: str = ""  # function, static
    framework: str = ""  # as its makers write it: FastAPI, Flask, Django ...
    dependencies: Dependencies | None = None
    build: tuple[str, ...] = ()  # what makes the program, in the folder
    dockerfile: str = ""  # its path, where an image is built of it
    carries: tuple[str, ...] = ()  # files of Hearth's that it imports, as patterns
    reasons: tuple[str, ...] = ()  # sentences: what was seen and what follows from it

    @property
    def label(self) -> str:
        """What to call it in a message."""
        return f"{self.framework} ({self.kind})" if self.framework else self.kind


PORT = re.compile(r"\$(PORT\b|\{PORT\})")
"""The port, as commands name it."""
_SHELL_SIGNS = frozenset("|&;<>()`*?[#~%\\\n$")


def command_words(command: str) -> tuple[str, ...]:
    """Return the words of a plain command; what needs a shell for more than its port gets one.

    ``exec`` has the program take the shell's place, so that it gets the signals.
    """
    first = command.split(maxsplit=1)[0]
    if not _SHELL_SIGNS & set(PORT.sub("", command)) and "=" not in first:
        return tuple(_split(command))
    return ("/bin/sh", "-c", command if "&&" in command or ";" in command else f"exec {command}")


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise DetectionError(f"the command {command!r} cannot be read: {error}") from error

"""Runs a tutorial as its reader does: what stands in its ``console`` blocks, in one shell.

A line that begins with "$ " is typed, with what stands below it up to the end of its here-document.
The lines after it are what it prints: "..." stands for anything in a line and, on a line alone, for
any lines. Seconds differ, and so may the gateway's port.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
_SECONDS = re.compile(r"\d+\.\d+ s\b")
_GAP = re.compile(r"(?:\\ ){2,}")
"""Of a table, whose columns are as wide as what stands in them."""
_END = "--- end of what this printed: "


@dataclass(frozen=True)
class Step:
    """What is typed, and what is printed."""

    command: str
    printed: str


def steps_of(text: str) -> list[Step]:
    """Return the steps of a page, in order."""
    return [step for block in _BLOCK.findall(text) for step in _steps(block.splitlines())]


def _steps(lines: list[str]) -> Iterator[Step]:
    while lines:
        assert lines[0].startswith("$ "), f"no command: {lines[0]}"
        length = 1
        while not _is_whole("\n".join(lines[:length])[2:]):
            length += 1
        command, lines = "\n".join(lines[:length])[2:], lines[length:]
        count = next((n for n, line in enumerate(lines) if line.startswith("$ ")), len(lines))
        yield Step(command, "\n".join(lines[:count]))
        lines = lines[count:]


def _is_whole(command: str) -> bool:
    here = re.search(r"<<'(\w+)'", command)
    return here is None or command.endswith(f"\n{here[1]}")


def pattern_of(printed: str) -> re.Pattern[str]:
    """Return what matches all that a step may print."""
    parts = []
    for line in printed.splitlines():
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            words = _SECONDS.sub("# s", line.rstrip()).split("...")
            parts.append(".*".join(_GAP.sub(" +", re.escape(each)) for each in words) + r" *\n")
    return re.compile("".join(parts))


class Reader:
    """A shell in a folder of its own, whose commands are given the port that a test takes."""

    def __init__(self, folder: Path, environment: Mapping[str, str], port: int) -> None:
        self._port = port
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def does(self, step: Step) -> None:
        """Type it; AssertionError where something else is printed, or it fails."""
        assert self._shell.stdin is not None and self._shell.stdout is not None
        typed = self._here(step.command).replace("hearth up", f"hearth up --port {self._port}")
        self._shell.stdin.write(f"{typed}\necho; echo '{_END}'$?\n")
        self._shell.stdin.flush()
        lines = []
        for line in self._shell.stdout:
            if line.startswith(_END):
                break
            lines.append(line)
        printed = _SECONDS.sub("# s", "".join(lines)).removesuffix("\n")
        assert line == f"{_END}0\n", f"{typed}\nfailed:\n{printed}"
        found = pattern_of(self._here(step.printed)).fullmatch(printed)
        assert found, f"{typed}\nprinted:\n{printed}\nand not:\n{step.printed}"

    def _here(self, text: str) -> str:
        return text.replace(":8080", f":{self._port}")

    def close(self) -> None:
        """End the shell."""
        assert self._shell.stdin is not None and self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.stdout.close()
        self._shell.wait(20)

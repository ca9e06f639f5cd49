"""The tutorials and the README's first screen are true: each is run as it is written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.tutorials import Reader, Step, pattern_of, steps_of
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = [ROOT / "README.md", *sorted((ROOT / "docs" / "tutorials").glob("*.md"))]
PROGRAMS = Path(sys.executable).parent


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Who has just installed Hearth."""
    (tmp_path / "work").mkdir()
    environment = {
        "HOME": str(tmp_path),
        "HEARTH_DATA_DIR": str(tmp_path / "state"),
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
    }
    found = Reader(tmp_path / "work", environment, free_port())
    try:
        yield found
    finally:
        found.close()
        command = [
            sys.executable,
            "-m",
            "hearth.cli",
            "down",
            "--data-dir",
            str(tmp_path / "state"),
        ]
        subprocess.run(command, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_is_as_it_is_written(page: Path, reader: Reader) -> None:
    steps = steps_of(page.read_text())
    assert len(steps) > 4
    if any(step.command.startswith("kubectl") for step in steps) and not shutil.which("kubectl"):
        assert not os.environ.get("HEARTH_REQUIRE_KUBECTL")
        pytest.skip("no kubectl")
    for step in steps:
        reader.does(step)


def test_a_step_is_a_command_and_what_it_prints() -> None:
    typed = "$ cat > f <<'END'\n$ not typed\nEND\n$ echo a; echo b\na\nb\n"
    assert steps_of(f"A\n```console\n{typed}```\n") == [
        Step("cat > f <<'END'\n$ not typed\nEND", ""),
        Step("echo a; echo b", "a\nb"),
    ]


def test_dots_stand_for_what_differs() -> None:
    pattern = pattern_of("a ... z\n...\nin 1.25 s")
    assert pattern.fullmatch("a b c z\nmore\nand more\nin # s\n")
    assert pattern.fullmatch("a  z\nin # s\n")
    assert not pattern.fullmatch("a b c\nin # s\n")
    assert not pattern.fullmatch("a  z\nin # s\nmore\n")

"""Documentation that can drift is held against the code."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.main

from hearth.cli.main import app

DOCS = Path(__file__).resolve().parents[2] / "docs"


COMMON = {"--name", "--data-dir", "--help|-h", "-h|--help", "--yes|-y"}


def _commands() -> list[tuple[str, list[str]]]:
    """Every command of the command line with its options and their short forms."""
    found = []
    root = typer.main.get_command(app)
    stack = [("hearth", root)]
    while stack:
        path, command = stack.pop()
        children = getattr(command, "commands", None)
        if children:
            stack += [(f"{path} {name}", child) for name, child in children.items()]
            continue
        options = ["|".join(p.opts) for p in command.params if p.opts[0].startswith("--")]
        found.append((path, options))
    return sorted(found)


@pytest.mark.parametrize(("command", "options"), _commands(), ids=lambda v: str(v)[:40])
def test_every_command_is_documented(command: str, options: list[str]) -> None:
    text = (DOCS / "operations.md").read_text()
    row = next((r for r in text.splitlines() if f"`{command}" in r and r.startswith("|")), "")
    assert row, f"docs/operations.md has no row for {command}"
    missing = [o for o in options if o not in COMMON and not any(n in row for n in o.split("|"))]
    assert missing == []


def test_the_documents_the_readme_names_exist() -> None:
    readme = (DOCS.parent / "README.md").read_text()
    named = [part.split(")")[0] for part in readme.split("](")[1:]]
    missing = [n for n in named if not n.startswith("http") and not (DOCS.parent / n).exists()]
    assert missing == []

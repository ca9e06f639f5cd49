"""The state file of one Hearth: what runs, and how to reach it.

Written by ``hearth up``, read by every other command.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from hearth.cli.errors import UserError


def state_file(data_dir: Path) -> Path:
    """Where the state of a folder is kept."""
    return data_dir / "state.json"


def read_state(data_dir: Path) -> dict[str, Any]:
    """Returns what ``hearth up`` noted, nothing where it never ran; UserError when damaged."""
    path = state_file(data_dir)
    try:
        state: dict[str, Any] = json.loads(path.read_text())
        _check(state)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): delete it, then `hearth up`") from error
    return state


def _check(state: object) -> None:
    """Raises ValueError unless commands can rely on it: anybody may edit the file."""
    if not isinstance(state, dict) or not isinstance(state.get("pid", 0), int):
        raise ValueError("no process id")
    for field in ("ports", "components"):
        entries = state.get(field, {})
        if not isinstance(entries, dict) or not all(isinstance(n, int) for n in entries.values()):
            raise ValueError(f"{field} are no numbers by name")
    health = state.get("health", {})
    if not isinstance(health, dict) or not all(isinstance(h, dict) for h in health.values()):
        raise ValueError("health is not told by name")


def write_state(data_dir: Path, state: dict[str, Any]) -> None:
    """Replaces the file as a whole, so that readers never see half of it."""
    target = state_file(data_dir)
    fresh = target.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(state, file, indent=1)
    fresh.replace(target)


def running_state(data_dir: Path) -> dict[str, Any]:
    """Returns the state of the Hearth that runs on a folder; UserError where none does."""
    state = read_state(data_dir)
    if not is_running(state):
        raise UserError(
            f"no Hearth runs on {data_dir}: start one with `hearth up` "
            f"(or name another one with --name or --data-dir)"
        )
    return state


def is_running(state: dict[str, Any]) -> bool:
    """Tells whether the supervisor of this state lives (and not another process of its number)."""
    pid = int(state.get("pid", 0))
    return pid > 0 and process_start(pid) == state.get("started")


def process_start(pid: int) -> str | None:
    """Tells one process from a later one with the same number; None when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]

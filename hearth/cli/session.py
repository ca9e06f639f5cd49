"""What commands need to talk to a running Hearth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hearth.cli.state import StateError, is_running, read_state


def running_state(data_dir: Path) -> dict[str, Any]:
    """The state of the Hearth on this folder; says how to start one when none runs."""
    state = read_state(data_dir)
    if not is_running(state):
        raise StateError(
            f"no Hearth runs on {data_dir}: start one with `hearth up` "
            f"(or name another one with --name or --data-dir)"
        )
    return state

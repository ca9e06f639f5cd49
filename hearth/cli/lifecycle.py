"""``hearth down`` and ``hearth reset``."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

from hearth.cli import names
from hearth.cli.errors import UserError
from hearth.cli.state import is_running, read_state, state_file

_STOP_SECONDS = 90.0


def down(data_dir: Path) -> None:
    """Stops the supervisor, which stops its children, and waits for it."""
    state = read_state(data_dir)
    if not is_running(state):
        print(f"No Hearth runs on {data_dir}.")
        return
    _stop(state["pid"], state)
    print("Hearth has stopped.")


def _stop(pid: int, state: dict[str, object]) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while is_running(state):
        if time.monotonic() > deadline:
            raise UserError(
                f"process {pid} did not stop within {_STOP_SECONDS:.0f} s; "
                f"`kill -9 {pid}` ends it, nothing acknowledged is lost by that"
            )
        time.sleep(0.02)


def reset(data_dir: Path) -> None:
    """Stops Hearth and deletes its state folder, and nothing that is not one."""
    state = read_state(data_dir)
    if is_running(state):
        _stop(int(state["pid"]), state)
    if not data_dir.exists():
        print(f"Nothing is stored in {data_dir}.")
        return
    if not state_file(data_dir).exists():
        raise UserError(f"{data_dir} is no state folder of Hearth: it is left as it is")
    from hearth.cluster.node.volumes.memory import unmount_all

    for pod in (*data_dir.glob("pods/*"), *data_dir.glob("spares/*")):  # of a node that was killed
        unmount_all(pod / "volumes")
    shutil.rmtree(data_dir)
    names.forget(data_dir)
    print(f"Deleted {data_dir}.")
